"""SSH signatures of a file, as `ssh-keygen -Y sign` makes them and `-Y verify` checks them.

A reader who has only OpenSSH can check what the kit signed. The kit itself needs no ssh program.
Source: OpenSSH 9.2, PROTOCOL.sshsig (magic, namespace, hash of the message) and RFC 8709
(ssh-ed25519 keys and signatures).
"""

import base64
import binascii
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kit.errors import SignatureError
from kit.signing.keys import raw_public

NAMESPACE = "pebench-results@v1"
MAX_BYTES = 4096  # A signature by an Ed25519 key has 321; OpenSSH's longest keys need 1.5 kB.
KIND = b"ssh-ed25519"
HASHES = (b"sha512", b"sha256")
WIDTH = 70  # characters per line, as ssh-keygen breaks them

_MAGIC = b"SSHSIG"
_VERSION = (1).to_bytes(4, "big")
_BEGIN, _END = b"-----BEGIN SSH SIGNATURE-----\n", b"-----END SSH SIGNATURE-----\n"


def sign_bytes(message: bytes, key: Ed25519PrivateKey, *, namespace: str = NAMESPACE) -> bytes:
    """Return the signature file: the bytes that ssh-keygen writes for this key."""
    signature = key.sign(_signed(message, namespace.encode(), HASHES[0]))
    public = _string(KIND) + _string(raw_public(key.public_key()))
    named = [namespace.encode(), b"", HASHES[0], _string(KIND) + _string(signature)]
    return _armour(_MAGIC + _VERSION + b"".join(map(_string, [public, *named])))


def verify_bytes(
    signature: bytes, message: bytes, public: Ed25519PublicKey, *, namespace: str = NAMESPACE
) -> None:
    """Check that `public` signed exactly `message` for `namespace`.

    Raises:
        SignatureError: the file is not an SSH signature, is for another namespace or by another
            key, or another message was signed.
    """
    key, found, hashed, raw = _parse(signature)
    if found != namespace.encode():
        raise _refused(f"it is for the namespace {found[:80]!r}, not {namespace!r}")
    if key != raw_public(public):
        raise _refused("it is not by the key that signed the manifest")
    try:
        public.verify(raw, _signed(message, found, hashed))
    except InvalidSignature:
        raise _refused("it is wrong: the list was changed after it was signed") from None


def key_of(signature: bytes) -> Ed25519PublicKey:
    """Return the key that a signature names. Only `verify_bytes` checks that this key made it.

    Raises:
        SignatureError: the file is not an SSH signature by an Ed25519 key.
    """
    try:
        return Ed25519PublicKey.from_public_bytes(_parse(signature)[0])
    except ValueError as error:
        raise _refused(f"its key cannot be used: {error}") from None


def _signed(message: bytes, namespace: bytes, hashed: bytes) -> bytes:
    """Return the signed bytes: the hash of the message, with the purpose of the signature."""
    digest = hashlib.new(hashed.decode(), message).digest()
    return _MAGIC + b"".join(_string(part) for part in (namespace, b"", hashed, digest))


def _parse(data: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Return (raw public key, namespace, hash algorithm, raw signature)."""
    if len(data) > MAX_BYTES or not data.startswith(_BEGIN) or not data.endswith(_END):
        raise _refused("it does not begin and end like an SSH signature")
    try:
        blob = base64.b64decode(b"".join(data[len(_BEGIN) : -len(_END)].split(b"\n")))
    except binascii.Error as error:
        raise _refused(f"its text is not base64: {error}") from None
    # Only one spelling counts: the one that ssh-keygen writes.
    if _armour(blob) != data:
        raise _refused("its lines are not those that ssh-keygen writes, or it has stray bits")
    if not blob.startswith(_MAGIC + _VERSION):
        raise _refused("it is of an unknown version")
    parts = _strings(blob[len(_MAGIC + _VERSION) :], 5)
    key, signature = _strings(parts[0], 2), _strings(parts[4], 2)
    if key[0] != KIND or signature[0] != KIND or (len(key[1]), len(signature[1])) != (32, 64):
        raise _refused("it is not by an ssh-ed25519 key")
    if parts[3] not in HASHES or parts[2]:
        raise _refused("it uses an unknown hash or a reserved field")
    return key[1], parts[1], parts[3], signature[1]


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _strings(data: bytes, count: int) -> list[bytes]:
    """Split `data` into exactly `count` strings, each preceded by its length (RFC 4251)."""
    found = []
    for _ in range(count):
        length = int.from_bytes(data[:4], "big")
        if len(data) < 4 + length:
            raise _refused("it is cut off")
        found.append(data[4 : 4 + length])
        data = data[4 + length :]
    if data:
        raise _refused("it goes on after its end")
    return found


def _armour(blob: bytes) -> bytes:
    text = base64.b64encode(blob)
    lines = [text[start : start + WIDTH] + b"\n" for start in range(0, len(text), WIDTH)]
    return _BEGIN + b"".join(lines) + _END


def _refused(reason: str) -> SignatureError:
    return SignatureError(
        "the SSH signature of SHA256SUMS cannot be accepted",
        expected="one of exactly this list, by the key that signed the manifest",
        found=reason,
        remedy="get the result again, or sign your own run again: ./run.sh sign",
    )
