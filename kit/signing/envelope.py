"""A DSSE 1.0 envelope around an in-toto statement, signed with Ed25519.

The signature covers PAE(type, body), so bytes that were signed for another purpose never verify.
`kit.signing.signers` decides whose signature it is.
Source: secure-systems-lab/dsse v1.0.2, protocol.md and envelope.md.
"""

import base64
import binascii
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kit.digests import canonical_json
from kit.errors import SignatureError
from kit.result.strict_json import parse_json
from kit.signing.keys import fingerprint

PAYLOAD_TYPE = "application/vnd.in-toto+json"
SIGNATURE_BYTES = 64
MARKS = (b'"', b",", b":", b"[", b"{")
MAX_MARKS = 200


@dataclass(frozen=True)
class Envelope:
    """A decoded envelope.

    Attributes:
        payload: the statement.
        signature: 64 bytes.
        keyid: the fingerprint that the file states. It is not signed, so it decides nothing.
        exact: whether the file consists of exactly the bytes that `seal` writes for these three.
    """

    payload: bytes
    signature: bytes
    keyid: str
    exact: bool


def pae(payload_type: str, body: bytes) -> bytes:
    """Return DSSE's pre-authentication encoding: lengths in bytes, separated by single spaces."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(body), body)


def seal(payload: bytes, key: Ed25519PrivateKey) -> bytes:
    """Return the envelope file: `payload` signed with `key`."""
    signature = key.sign(pae(PAYLOAD_TYPE, payload))
    return _encode(payload, signature, fingerprint(key.public_key()))


def _encode(payload: bytes, signature: bytes, keyid: str) -> bytes:
    signed = {"keyid": keyid, "sig": base64.b64encode(signature).decode()}
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [signed],
    }
    return canonical_json(envelope) + b"\n"


def open_envelope(data: bytes) -> Envelope:
    """Decode an envelope file without judging its signature.

    Raises:
        SignatureError: the file is not an envelope of our payload type with exactly one signature.
    """
    # These bytes are not verified yet, so limit the work. An honest envelope has 18 quotes.
    if sum(data.count(mark) for mark in MARKS) > MAX_MARKS:
        raise malformed("it has other parts than a payload and one signature")
    try:
        value = parse_json(data)
    except ValueError as error:
        raise malformed(f"not acceptable JSON: {error}") from None
    payload = payload_of(value)
    signatures = value.get("signatures") if isinstance(value, dict) else None
    if not isinstance(signatures, list) or not signatures:
        raise malformed("it carries no signature")
    # Only one signature is checked; a second one would add nothing but the look of it.
    if len(signatures) != 1 or not isinstance(signatures[0], dict):
        raise malformed(f"{len(signatures)} signatures, but one is expected")
    signature = _decode(signatures[0].get("sig"), "sig")
    if len(signature) != SIGNATURE_BYTES:
        raise malformed(f"a signature of {len(signature)} bytes; Ed25519 has {SIGNATURE_BYTES}")
    keyid = signatures[0].get("keyid", "")
    keyid = keyid if isinstance(keyid, str) and keyid.isprintable() else ""
    return Envelope(payload, signature, keyid, data == _encode(payload, signature, keyid))


def payload_of(envelope: object) -> bytes:
    """Return the statement in a parsed envelope, without asking who signed it.

    Raises:
        SignatureError: the value is not an envelope of our payload type.
    """
    if not isinstance(envelope, dict):
        raise malformed("not a JSON object")
    if envelope.get("payloadType") != PAYLOAD_TYPE:
        raise malformed(f"payloadType {envelope.get('payloadType')!r} is not {PAYLOAD_TYPE!r}")
    return _decode(envelope.get("payload"), "payload")


def malformed(reason: str) -> SignatureError:
    """Return the error for an envelope or statement that `sign` would not write."""
    return SignatureError(
        "the signed manifest cannot be accepted",
        expected="one statement of a result and one signature, as ./run.sh sign writes them",
        found=reason,
        remedy="get the result again, or sign your own run again: ./run.sh sign",
    )


def _decode(text: object, name: str) -> bytes:
    """Decode base64, in either alphabet as DSSE demands, but in one spelling only."""
    if not isinstance(text, str) or not text.isascii():
        raise malformed(f"{name} is not base64 text")
    try:
        data = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error as error:
        raise malformed(f"{name} is not base64: {error}") from None
    if text not in {base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()}:
        raise malformed(f"{name} mixes base64 alphabets or has stray bits")
    return data
