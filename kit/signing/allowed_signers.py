"""Lists of public keys in OpenSSH's formats: allowed signers with their periods, and revoked keys.

Source: ssh-keygen(1), ALLOWED SIGNERS, and its option -r for `-Y verify`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from kit.errors import SignatureError
from kit.signing.sshsig import NAMESPACE

AUTHOR, LISTED, REVOKED = "author", "listed signer", "revoked key"
FILE_BYTES = 1 << 20

_OPTION = re.compile(r'(?P<name>[A-Za-z-]+)(?:="(?P<value>[^"]*)")?(?:,|$)')
_STAMPS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}


@dataclass(frozen=True)
class TrustedKey:
    """A public key, the role of its holder, and the line or file that says so.

    `period` is when it may be used, in words; `refusal` is why it does not count now, or "".
    """

    public: Ed25519PublicKey
    role: str
    source: str
    period: str = ""
    refusal: str = ""


def read_signers(path: Path, *, now: datetime | None = None) -> Iterator[TrustedKey]:
    """Yield the keys of an OpenSSH allowed_signers file, ssh-keygen(1), ALLOWED SIGNERS.

    A bare key has no trusted time of signing, so that its period is compared with the present;
    outside of it, or for other namespaces alone, it has a `refusal`.

    Raises:
        SignatureError: a line cannot be understood; guessing could trust too much.
    """
    now = now or datetime.now(UTC)
    for number, line in _lines(path):
        principal, _, rest = line.partition(" ")
        options, found, body = f" {rest.lstrip()}".partition(" ssh-ed25519 ")
        try:
            public = _ssh_key(found + body)
            period, refusal = _period(options.strip(), now)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise SignatureError(
                f"{path}:{number} is not a line of allowed signers: {error}",
                expected=f'<principal> namespaces="{NAMESPACE}" ssh-ed25519 AAAA...',
                found=line[:100],
                remedy="restore the file from the repository",
            ) from None
        role = AUTHOR if re.match(r"author\b", principal) else LISTED
        yield TrustedKey(public, role, f"{principal}, {path.name}:{number}", period, refusal)


def read_revoked(path: Path) -> Iterator[TrustedKey]:
    """Yield the keys of a list for `ssh-keygen -Y verify -r`: one public key a line.

    What stands behind a key is told to whoever meets it: since when, and why.

    Raises:
        SignatureError: a line cannot be understood; a revocation must not be lost by a slip.
    """
    for number, line in _lines(path):
        try:
            public = _ssh_key(line)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise SignatureError(
                f"{path}:{number} is not a public key: {error}",
                expected="ssh-ed25519 AAAA... <since when, and why>",
                found=line[:100],
                remedy="restore the file from the repository",
            ) from None
        why = " ".join(line.split()[2:])
        place = f"{path.name}:{number}"
        yield TrustedKey(
            public, REVOKED, place, "", f"it was revoked ({place}{': ' * bool(why)}{why})"
        )


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(read_key_file(path).splitlines(), 1):
        if line.strip() and not line.strip().startswith("#"):
            yield number, line.strip()


def _ssh_key(text: str) -> Ed25519PublicKey:
    key = load_ssh_public_key(text.strip().encode())
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("no ssh-ed25519 key")
    return key


def _period(options: str, now: datetime) -> tuple[str, str]:
    """Return (when a line's key may be used, why it does not count now or "").

    Raises:
        ValueError: an option is unknown (cert-authority included) or malformed.
    """
    position, period, refusals = 0, [], []
    while position < len(options):
        option = _OPTION.match(options, position)
        name, value = (option["name"].lower(), option["value"]) if option else ("", None)
        if name == "namespaces" and value is not None:
            if NAMESPACE not in value.split(","):
                refusals.append(f"it is listed for {value!r}, not for {NAMESPACE!r}")
        elif name in {"valid-after", "valid-before"} and value is not None:
            moment = _moment(value)
            until = name == "valid-before"
            stamp = f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
            period.append(f"{'until' if until else 'from'} {stamp}")
            if until and now >= moment:
                refusals.append(f"it has expired: it was valid until {stamp}")
            if not until and now < moment:
                refusals.append(f"it is not valid yet, only from {stamp}")
        else:
            raise ValueError(f"unsupported options {options[position:60]!r}")
        position = option.end() if option else position
    return " ".join(["valid", *period] if period else []), "; ".join(refusals)


def _moment(value: str) -> datetime:
    """Read YYYYMMDD[HHMM[SS]][Z]; without Z it is local time, as in ssh-keygen."""
    digits = value.removesuffix("Z")
    if len(digits) not in _STAMPS or not digits.isdigit():
        raise ValueError(f"{value!r} is not a time")
    moment = datetime.strptime(digits, _STAMPS[len(digits)])
    return moment.replace(tzinfo=UTC) if value.endswith("Z") else moment.astimezone()


def read_key_file(path: Path) -> str:
    """Return the text of a small key file.

    Raises:
        SignatureError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(FILE_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SignatureError(
            f"the key file {path} cannot be read", found=error, remedy="check --trust FILE"
        ) from error
