"""Lists of public keys in OpenSSH's formats: allowed signers with their periods, and revoked keys.

Source: ssh-keygen(1), ALLOWED SIGNERS, and its option -r for `-Y verify`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from kit.artifacts import restored
from kit.errors import SignatureError
from kit.signing.period import ALWAYS, Period, parse_time
from kit.signing.sshsig import NAMESPACE
from kit.texts import EXPECTED, NotText, decode_text

AUTHOR, LISTED, REVOKED = "author", "listed signer", "revoked key"
FILE_BYTES = 1 << 20

_OPTION = re.compile(r'(?P<name>[A-Za-z-]+)(?:="(?P<value>[^"]*)")?(?:,|$)')


@dataclass(frozen=True)
class TrustedKey:
    """A public key that the verifier knows, even if its signatures are refused.

    Attributes:
        public: the key.
        role: of its holder, such as AUTHOR.
        source: the line or file that names the key.
        period: when the key may sign; by default always.
        refusal: why its signatures never count (revoked, or listed for another purpose), or "".
        remark: what a reader must know about an accepted signature, or "".
        commit: the commit that a workflow ran at, if a workflow has signed, or "".
    """

    public: Ed25519PublicKey
    role: str
    source: str
    period: Period = ALWAYS
    refusal: str = ""
    remark: str = ""
    commit: str = ""


def read_signers(path: Path) -> Iterator[TrustedKey]:
    """Yield the keys of an OpenSSH allowed_signers file.

    A key that is listed for other namespaces than the kit's has a `refusal`.

    Raises:
        SignatureError: a line cannot be understood. Guessing could trust too much.
    """
    for number, line in _lines(path):
        principal, _, rest = line.partition(" ")
        options, separator, body = f" {rest.lstrip()}".partition(" ssh-ed25519 ")
        try:
            public = _ssh_key(separator + body)
            period, refusal = _read_options(options.strip())
        except (ValueError, UnsupportedAlgorithm) as error:
            raise SignatureError(
                f"{path}:{number} is not a line of allowed signers: {error}",
                expected=f'<principal> namespaces="{NAMESPACE}" ssh-ed25519 AAAA...',
                found=line[:100],
                remedy=restored(path),
            ) from None
        role = AUTHOR if re.match(r"author\b", principal) else LISTED
        yield TrustedKey(public, role, f"{principal}, {path.name}:{number}", period, refusal)


def read_revoked(path: Path) -> Iterator[TrustedKey]:
    """Yield the keys of a list for `ssh-keygen -Y verify -r`, one public key per line.

    The text after a key (since when it is revoked, and why) becomes part of its `refusal`.

    Raises:
        SignatureError: a line cannot be understood. A typing error must not undo a revocation.
    """
    for number, line in _lines(path):
        try:
            public = _ssh_key(line)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise SignatureError(
                f"{path}:{number} is not a public key: {error}",
                expected="ssh-ed25519 AAAA... <since when, and why>",
                found=line[:100],
                remedy=restored(path),
            ) from None
        why = " ".join(line.split()[2:])
        place = f"{path.name}:{number}"
        refusal = f"it was revoked ({place}{': ' * bool(why)}{why})"
        yield TrustedKey(public, REVOKED, place, refusal=refusal)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(read_key_file(path).splitlines(), 1):
        if line.strip() and not line.strip().startswith("#"):
            yield number, line.strip()


def _ssh_key(text: str) -> Ed25519PublicKey:
    key = load_ssh_public_key(text.strip().encode())
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("no ssh-ed25519 key")
    return key


def _read_options(options: str) -> tuple[Period, str]:
    """Return the period of a line's key, and why the key never counts or "".

    Raises:
        ValueError: an option is unknown (cert-authority included) or malformed, or the period is
            empty.
    """
    position, start, end, refusal = 0, None, None, ""
    while position < len(options):
        option = _OPTION.match(options, position)
        name, value = (option["name"].lower(), option["value"]) if option else ("", None)
        if option is None or value is None:
            raise ValueError(f"unsupported options {options[position:60]!r}")
        if name == "namespaces":
            if NAMESPACE not in value.split(","):
                refusal = f"it is listed for {value!r}, not for {NAMESPACE!r}"
        elif name == "valid-after":
            start = parse_time(value)
        elif name == "valid-before":
            end = parse_time(value)
        else:
            raise ValueError(f"unsupported options {options[position:60]!r}")
        position = option.end()
    if start and end and start >= end:
        raise ValueError("valid-after is not before valid-before")
    return Period(start, end), refusal


def read_key_file(path: Path) -> str:
    """Return the text of a small key file.

    Raises:
        SignatureError: the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return decode_text(stream.read(FILE_BYTES))
    except NotText as error:
        raise SignatureError(
            f"the key file {path} cannot be read",
            expected=EXPECTED,
            found=error.found,
            remedy=error.remedy,
        ) from None
    except OSError as error:
        raise SignatureError(
            f"the key file {path} cannot be read",
            expected="a file with a key, which this user can read",
            found=error.strerror or error,
            remedy="check --trust FILE",
        ) from error
