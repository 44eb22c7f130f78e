"""The file of a private key: PEM PKCS8, encrypted under a passphrase if there is one.

Encryption is PBES2 with scrypt and AES-256-CBC (RFC 8018, RFC 7914), which OpenSSL reads:
`openssl pkey -in runner.key`. `cryptography` itself would write PBKDF2 with 2048 rounds, which
is quickly guessed through, so the few fields of the container are written here.
"""

import base64
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from kit.errors import SignatureError

KEY_BYTES = 4096  # A PKCS8 Ed25519 key has 119 bytes; anything near this limit is another file.
ENCRYPTED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"
# OWASP's password storage cheat sheet: N = 2^14, r = 8, p = 5. A larger N needs more memory than
# OpenSSL admits when it reads a key.
COST = (1 << 14, 8, 5)

_SEQUENCE, _OCTETS, _INTEGER, _OBJECT = 0x30, 0x04, 0x02, 0x06
_PBES2, _SCRYPT, _AES_256_CBC = (
    bytes.fromhex(text)
    for text in ("2a864886f70d01050d", "2b06010401da47040b", "60864801650304012a")
)  # 1.2.840.113549.1.5.13, 1.3.6.1.4.1.11591.4.11, 2.16.840.1.101.3.4.1.42


def to_pem(key: Ed25519PrivateKey, passphrase: bytes | None = None) -> bytes:
    """Return the key file: encrypted if there is a passphrase."""
    form = PrivateFormat.PKCS8
    if passphrase is None:
        return key.private_bytes(Encoding.PEM, form, NoEncryption())
    salt, start = secrets.token_bytes(16), secrets.token_bytes(16)
    padding = PKCS7(128).padder()
    plain = key.private_bytes(Encoding.DER, form, NoEncryption())
    padded = padding.update(plain) + padding.finalize()
    n, r, p = COST
    secret = Scrypt(salt=salt, length=32, n=n, r=r, p=p).derive(passphrase)
    cipher = Cipher(algorithms.AES(secret), modes.CBC(start)).encryptor()
    derivation = _der(_SEQUENCE, _der(_OCTETS, salt), *map(_integer, COST))
    scheme = _der(
        _SEQUENCE,
        _der(_SEQUENCE, _der(_OBJECT, _SCRYPT), derivation),
        _der(_SEQUENCE, _der(_OBJECT, _AES_256_CBC), _der(_OCTETS, start)),
    )
    algorithm = _der(_SEQUENCE, _der(_OBJECT, _PBES2), scheme)
    whole = _der(_SEQUENCE, algorithm, _der(_OCTETS, cipher.update(padded) + cipher.finalize()))
    text = base64.b64encode(whole)
    lines = [text[place : place + 64] for place in range(0, len(text), 64)]
    return b"\n".join([ENCRYPTED, *lines, ENCRYPTED.replace(b"BEGIN", b"END"), b""])


def load_private_key(path: Path, passphrase: Callable[[], bytes]) -> Ed25519PrivateKey:
    """Read a PEM PKCS8 Ed25519 key; `passphrase` is asked only if it is encrypted.

    Raises:
        SignatureError: the file is something else, or the passphrase does not open it.
    """
    with path.open("rb") as stream:
        data = stream.read(KEY_BYTES)
    encrypted = data.lstrip().startswith(ENCRYPTED)
    try:
        key = load_pem_private_key(data, password=passphrase() if encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        if encrypted:
            raise SignatureError(
                f"the passphrase does not open {path}",
                remedy="give the passphrase that it was made with, or make a new key: "
                "./run.sh keygen --force",
            ) from None
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SignatureError(
            f"{path} is not a usable runner key",
            expected="an Ed25519 private key, PEM PKCS8",
            remedy="move it away, or replace it: ./run.sh keygen --force",
        )
    return key


def is_encrypted(path: Path) -> bool:
    """Say whether a key file asks for a passphrase."""
    with path.open("rb") as stream:
        return stream.read(KEY_BYTES).lstrip().startswith(ENCRYPTED)


def _der(tag: int, *parts: bytes) -> bytes:
    """Return one DER element (X.690); none here is longer than 255 bytes."""
    content = b"".join(parts)
    length = [len(content)] if len(content) < 128 else [0x81, len(content)]
    return bytes([tag, *length]) + content


def _integer(number: int) -> bytes:
    return _der(_INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))
