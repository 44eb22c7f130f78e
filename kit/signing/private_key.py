"""The file of a private key, in OpenSSH's format, encrypted if the holder chose a passphrase.

OpenSSH works on the file too: `ssh-keygen -y -f runner.key` prints the public key, and
`ssh-keygen -p -f runner.key` changes the passphrase. Earlier versions of the kit wrote PEM PKCS8,
encrypted with scrypt; those files are still read.
Source: OpenSSH, PROTOCOL.key.
"""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from kit.errors import EnvironmentFault, SignatureError

KEY_BYTES = 4096  # An Ed25519 key file has fewer than 500 bytes; a larger one is another file.
# The rounds of bcrypt that turn a passphrase into a key. ssh-keygen's default is 16. With 100, a
# guess costs an attacker six times as much, and the holder waits about a second.
BCRYPT_ROUNDS = 100

_OPENSSH = b"-----BEGIN OPENSSH PRIVATE KEY-----"


def to_pem(key: Ed25519PrivateKey, passphrase: bytes | None = None) -> bytes:
    """Return the content of the key file, encrypted if there is a passphrase.

    Raises:
        EnvironmentFault: there is a passphrase, and this environment has no bcrypt.
    """
    encryption: KeySerializationEncryption = NoEncryption()
    if passphrase is not None:
        _require_bcrypt()
        builder = PrivateFormat.OpenSSH.encryption_builder()
        encryption = builder.kdf_rounds(BCRYPT_ROUNDS).build(passphrase)
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, encryption)


def load_private_key(path: Path, passphrase: Callable[[], bytes]) -> Ed25519PrivateKey:
    """Read an Ed25519 key, in OpenSSH's format or PEM PKCS8.

    Args:
        path: the key file.
        passphrase: called only if the file is encrypted.

    Raises:
        EnvironmentFault: the file is encrypted, and this environment has no bcrypt.
        SignatureError: the file is something else, or the passphrase does not open it.
    """
    data = _read(path)
    encrypted = _is_encrypted(data)
    if encrypted and _is_openssh(data):
        _require_bcrypt()
    try:
        key = _parse(data, passphrase() if encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        if encrypted:
            raise SignatureError(
                f"the passphrase does not open {path}",
                expected="the passphrase of this key",
                found="another one, or a damaged file",
                remedy="give the passphrase that the key was made with, or make a new key: "
                "./run.sh keygen --force",
            ) from None
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SignatureError(
            f"{path} is not a usable runner key",
            expected="an Ed25519 private key, in OpenSSH's format or PEM PKCS8",
            found=f"{len(data)} bytes that hold {'none' if key is None else type(key).__name__}",
            remedy="move it away, or replace it: ./run.sh keygen --force",
        )
    return key


def is_encrypted(path: Path) -> bool:
    """Tell whether a key file needs a passphrase."""
    return _is_encrypted(_read(path))


def _read(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(KEY_BYTES)


def _is_openssh(data: bytes) -> bool:
    return data.lstrip().startswith(_OPENSSH)


def _parse(data: bytes, passphrase: bytes | None) -> object:
    load = load_ssh_private_key if _is_openssh(data) else load_pem_private_key
    return load(data, password=passphrase)


def _is_encrypted(data: bytes) -> bool:
    try:
        _parse(data, None)
    except TypeError:  # which both loaders raise where a passphrase is missing, and only there
        return True
    except (ValueError, UnsupportedAlgorithm):
        return False
    return False


def _require_bcrypt() -> None:
    if find_spec("bcrypt") is None:
        raise EnvironmentFault(
            "this environment has no bcrypt, which an encrypted key needs",
            expected="the packages of docker/requirements.cpu.lock",
            found="no package of that name",
            remedy="unset PEBENCH_ENV, and ./run.sh builds an environment that has it",
        )
