"""Which public keys a verifier accepts, and the role in which each of them signs."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    load_pem_public_key,
    load_ssh_public_key,
)

from kit.artifacts import PROJECT
from kit.errors import SignatureError
from kit.keys import key_folder

ALLOWED_SIGNERS = PROJECT / "checksums" / "allowed_signers"
NAMESPACE = "pebench-results@v1"
AUTHOR, LISTED = "author", "listed signer"
RUNNER, GIVEN = "runner (this machine's key)", "given key"
FILE_BYTES = 1 << 20

_OPTION = re.compile(r'(?P<name>[A-Za-z-]+)(?:="(?P<value>[^"]*)")?(?:,|$)')
_STAMPS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}


@dataclass(frozen=True)
class TrustedKey:
    """A public key, the role of its holder, and the line or file that says so."""

    public: Ed25519PublicKey
    role: str
    source: str


def trusted_keys(
    given: Path | None = None, *, signers: Path = ALLOWED_SIGNERS
) -> tuple[TrustedKey, ...]:
    """Return the keys to accept: listed signers first, then this machine's, then `given`.

    Raises:
        SignatureError: a file is unreadable, or holds anything but Ed25519 public keys.
    """
    keys = list(read_signers(signers)) if signers.exists() else []
    # To verify nobody needs a key: without HOME, or with one that cannot be read, there is none.
    with suppress(SignatureError):
        own = key_folder() / "runner.pub"
        if os.access(own, os.R_OK):
            keys.append(TrustedKey(read_public_key(own), RUNNER, str(own)))
    if given is not None:
        keys.append(TrustedKey(read_public_key(given), GIVEN, str(given)))
    return tuple(keys)


def read_public_key(path: Path) -> Ed25519PublicKey:
    """Read one public key: PEM, or an `ssh-ed25519 AAAA...` line.

    Raises:
        SignatureError: the file holds something else; a private key is refused by name.
    """
    text = _read_text(path)
    if "PRIVATE KEY" in text:
        raise SignatureError(
            f"{path} is a private key",
            expected="the public key of the signer (runner.pub, or PEM)",
            remedy="never pass a private key on: whoever has it can sign as its holder",
        )
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    try:
        if text.lstrip().startswith("-----BEGIN PUBLIC KEY-----"):
            key = load_pem_public_key(text.strip().encode())
        elif len(lines) == 1:
            key = load_ssh_public_key(lines[0].strip().encode())
        else:
            key = None
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise SignatureError(
            f"{path} is not an Ed25519 public key",
            expected="PEM (BEGIN PUBLIC KEY) or one line: ssh-ed25519 AAAA...",
            remedy="ask the signer for the file runner.pub",
        )
    return key


def read_signers(path: Path, *, now: datetime | None = None) -> Iterator[TrustedKey]:
    """Yield the keys of an OpenSSH allowed_signers file that are valid now, for our namespace.

    A bare key has no trusted time of signing, so that its period is compared with the present.

    Raises:
        SignatureError: a line cannot be understood; guessing could trust too much.
    """
    now = now or datetime.now(UTC)
    for number, line in enumerate(_read_text(path).splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        principal, _, rest = line.partition(" ")
        options, found, body = f" {rest.lstrip()}".partition(" ssh-ed25519 ")
        try:
            public = load_ssh_public_key(f"ssh-ed25519 {body}".encode())
            accepted = bool(found) and _is_valid(options.strip(), now)
        except (ValueError, UnsupportedAlgorithm) as error:
            found, reason = "", str(error)
        else:
            reason = "no ssh-ed25519 key"
        if not found or not isinstance(public, Ed25519PublicKey):
            raise SignatureError(
                f"{path}:{number} is not a line of allowed signers: {reason}",
                expected=f'<principal> namespaces="{NAMESPACE}" ssh-ed25519 AAAA...',
                found=line[:100],
                remedy="restore the file from the repository",
            )
        if accepted:
            role = AUTHOR if re.match(r"author\b", principal) else LISTED
            yield TrustedKey(public, role, f"{principal}, {path.name}:{number}")


def _is_valid(options: str, now: datetime) -> bool:
    """Return whether the options of a line admit our namespace at this time.

    Raises:
        ValueError: an option is unknown (cert-authority included) or malformed.
    """
    position, valid = 0, True
    while position < len(options):
        option = _OPTION.match(options, position)
        name, value = (option["name"].lower(), option["value"]) if option else ("", None)
        if name == "namespaces" and value is not None:
            valid &= NAMESPACE in value.split(",")
        elif name == "valid-after" and value is not None:
            valid &= _moment(value) <= now
        elif name == "valid-before" and value is not None:
            valid &= now < _moment(value)
        else:
            raise ValueError(f"unsupported options {options[position:60]!r}")
        position = option.end() if option else position
    return valid


def _moment(value: str) -> datetime:
    """Read YYYYMMDD[HHMM[SS]][Z]; without Z it is local time, as in ssh-keygen."""
    digits = value.removesuffix("Z")
    if len(digits) not in _STAMPS or not digits.isdigit():
        raise ValueError(f"{value!r} is not a time")
    moment = datetime.strptime(digits, _STAMPS[len(digits)])
    return moment.replace(tzinfo=UTC) if value.endswith("Z") else moment.astimezone()


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(FILE_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SignatureError(
            f"the key file {path} cannot be read", found=error, remedy="check --trust FILE"
        ) from error
