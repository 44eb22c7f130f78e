"""DSSE 1.0 envelope around an in-toto statement, signed with Ed25519.

The signature covers PAE(type, body), so that bytes signed for another purpose never verify here.
Source: secure-systems-lab/dsse v1.0.2, protocol.md and envelope.md.
"""

import base64
import binascii
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kit.digests import canonical_json
from kit.errors import SignatureError
from kit.names import show
from kit.result.strict_json import parse_json
from kit.signing.allowed_signers import TrustedKey
from kit.signing.keys import fingerprint

PAYLOAD_TYPE = "application/vnd.in-toto+json"
SIGNATURE_BYTES = 64


@dataclass(frozen=True)
class Envelope:
    """A decoded envelope.

    `keyid` is what the file says, which decides nothing; `exact` says whether the file holds what
    `seal` writes of these three, and no byte more.
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
    return _written(payload, signature, fingerprint(key.public_key()))


def _written(payload: bytes, signature: bytes, keyid: str) -> bytes:
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
        SignatureError: it is not one envelope of our payload type with exactly one signature.
    """
    try:
        value = parse_json(data)
    except ValueError as error:
        raise malformed(f"not acceptable JSON: {error}") from None
    payload = payload_of(value)
    signatures = value.get("signatures") if isinstance(value, dict) else None
    if not isinstance(signatures, list) or not signatures:
        raise malformed("it carries no signature")
    # One statement, one signer: a second signature that nobody checks would only look like more.
    if len(signatures) != 1 or not isinstance(signatures[0], dict):
        raise malformed(f"{len(signatures)} signatures where one is expected")
    signature = _decode(signatures[0].get("sig"), "sig")
    if len(signature) != SIGNATURE_BYTES:
        raise malformed(f"a signature of {len(signature)} bytes; Ed25519 has {SIGNATURE_BYTES}")
    keyid = signatures[0].get("keyid", "")
    keyid = keyid if isinstance(keyid, str) and keyid.isprintable() else ""
    return Envelope(payload, signature, keyid, data == _written(payload, signature, keyid))


def payload_of(envelope: object) -> bytes:
    """Return the bytes of the statement in an envelope that was parsed, whoever signed it.

    Raises:
        SignatureError: it is no envelope of our payload type.
    """
    if not isinstance(envelope, dict):
        raise malformed("not a JSON object")
    if envelope.get("payloadType") != PAYLOAD_TYPE:
        raise malformed(f"payloadType {envelope.get('payloadType')!r} is not {PAYLOAD_TYPE!r}")
    return _decode(envelope.get("payload"), "payload")


def signer_of(envelope: Envelope, trusted: tuple[TrustedKey, ...]) -> TrustedKey:
    """Return the trusted key that signed the envelope; every key is tried, whatever the keyid.

    Raises:
        SignatureError: none did, or one whose signature does not count now; it is named with its
            role and period.
    """
    message = pae(PAYLOAD_TYPE, envelope.payload)
    signers = [key for key in trusted if _signed(key, envelope.signature, message)]
    for signer in signers:
        if not signer.refusal:
            # What stands beside payload and signature is signed by nobody: nothing may.
            if not envelope.exact or envelope.keyid != fingerprint(signer.public):
                raise malformed("something stands in the envelope that its signer did not write")
            return signer
    if signers:
        raise _does_not_count(signers[0])
    if envelope.keyid in {fingerprint(candidate.public) for candidate in trusted}:
        raise SignatureError(
            "the signature is wrong: the manifest was changed after it was signed",
            expected=f"a signature by the trusted key {envelope.keyid}",
            remedy="get the result again, or sign your own run again: ./run.sh sign",
        )
    raise SignatureError(
        "the manifest is not signed by a key that you trust",
        expected=f"one of {len([key for key in trusted if not key.refusal])} trusted keys",
        found=f"a signer who gives the fingerprint {envelope.keyid[:80] or '(none)'}",
        remedy="ask the signer for runner.pub over a channel that you trust, compare the "
        "fingerprint, then add: --trust runner.pub; your own result, if you have replaced your "
        "key since: ./run.sh sign",
    )


def _signed(candidate: TrustedKey, signature: bytes, message: bytes) -> bool:
    try:
        candidate.public.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _does_not_count(signer: TrustedKey) -> SignatureError:
    return SignatureError(
        f"the key that signed does not count: {signer.refusal}",
        expected="a key that is listed, within its period and not revoked",
        found=f"{signer.role} ({show(signer.source)}), fingerprint {fingerprint(signer.public)}",
        remedy="ask the signer for the result signed with the present key",
    )


def malformed(reason: str) -> SignatureError:
    """Return the error for an envelope or statement that is not what `sign` writes."""
    return SignatureError(
        f"the signed manifest cannot be accepted: {reason}",
        remedy="get the result again, or sign your own run again: ./run.sh sign",
    )


def _decode(text: object, name: str) -> bytes:
    """Decode base64 in either alphabet, as DSSE demands, but in one spelling only."""
    if not isinstance(text, str) or not text.isascii():
        raise malformed(f"{name} is not base64 text")
    try:
        data = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error as error:
        raise malformed(f"{name} is not base64: {error}") from None
    if text not in {base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()}:
        raise malformed(f"{name} mixes base64 alphabets or has stray bits")
    return data
