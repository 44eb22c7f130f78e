"""The form of a Sigstore bundle: nothing else may stand in the file that a reader could believe.

The bundle is no signed file. Without `--identity` it is not checked, and anyone can add one. So it
must be exactly what Sigstore's client writes, of honest size, around the statement that the key has
signed.
Source: Sigstore's bundle format v0.3 (protobuf-specs, sigstore_bundle.proto).
"""

import re
from typing import Any

from kit.signing.envelope import malformed

TEXT = re.compile(r"[\x20-\x7e\n\u2014]{0,4096}")  # a checkpoint has a dash of its own
BASE64 = re.compile(r"[A-Za-z0-9+/=_-]{0,32768}")
NUMBER = re.compile(r"[0-9]{1,20}")
KEYID = re.compile(r"[0-9a-f]{0,64}")
MEDIA_TYPE = re.compile(
    r"application/vnd\.dev\.sigstore\.bundle(\.v0\.[1-9])?\+json(;version=0\.[1-9])?"
)
KIND = re.compile(r"[a-z]{1,20}|[0-9.]{1,10}")
_CERTIFICATE = {"rawBytes": BASE64}
_ENTRY = {
    "logIndex": NUMBER,
    "logId": {"keyId": BASE64},
    "kindVersion": {"kind": KIND, "version": KIND},
    "integratedTime": NUMBER,
    "inclusionPromise": {"signedEntryTimestamp": BASE64},
    "inclusionProof": {
        "logIndex": NUMBER, "rootHash": BASE64, "treeSize": NUMBER, "hashes": [BASE64],
        "checkpoint": {"envelope": TEXT},
    },
    # It holds the statement's digest, or in early versions the statement.
    "canonicalizedBody": re.compile(r"[A-Za-z0-9+/=_-]*"),
}  # fmt: skip
# A form: an expression for a text or number, [form] for a list, {key: form} for an object of which
# each key may be missing.
FORM: dict[str, Any] = {
    "mediaType": MEDIA_TYPE,
    "verificationMaterial": {
        "certificate": _CERTIFICATE,
        "x509CertificateChain": {"certificates": [_CERTIFICATE]},
        "publicKey": {"hint": BASE64},
        "tlogEntries": [_ENTRY],
        "timestampVerificationData": {"rfc3161Timestamps": [{"signedTimestamp": BASE64}]},
    },
    "dsseEnvelope": {
        "payload": re.compile(r"[A-Za-z0-9+/=_-]+"),
        "payloadType": re.compile(r"application/vnd\.in-toto\+json"),
        "signatures": [{"sig": BASE64, "keyid": KEYID}],
    },
}
MOST_ITEMS = 64  # of a list: a log of 2**64 entries has so many hashes on a path
MOST_BESIDE = 128 << 10  # bytes beside the payload; public Sigstore writes some 12 kB


def require_form(bundle: object, size: int) -> None:
    """Check that a parsed bundle has only parts that Sigstore's client writes.

    Args:
        bundle: the parsed file.
        size: of the file, in bytes.

    Raises:
        SignatureError: it has another part, or one of another form or size.
    """
    if fault := _fault(bundle, FORM, "bundle"):
        raise malformed(fault)
    assert isinstance(bundle, dict)
    payload = bundle.get("dsseEnvelope", {}).get("payload", "")
    if size > 2 * len(payload) + MOST_BESIDE:
        raise malformed(f"{size} bytes around a payload of {len(payload)}")


def _fault(value: object, form: Any, place: str) -> str:
    if isinstance(form, re.Pattern):
        said = str(value) if type(value) in (str, int) else None
        fits = said is not None and form.fullmatch(said)
        return "" if fits else f"{place} is not what Sigstore writes there"
    if isinstance(form, list):
        if not isinstance(value, list) or len(value) > MOST_ITEMS:
            return f"{place} is no list of at most {MOST_ITEMS}"
        faults = (_fault(each, form[0], f"{place}[{n}]") for n, each in enumerate(value))
        return next((fault for fault in faults if fault), "")
    if not isinstance(value, dict):
        return f"{place} is no object"
    if others := sorted(value.keys() - form.keys()):
        return f"{place} has another part, {others[0][:100]!a}"
    faults = (_fault(each, form[key], f"{place}.{key}") for key, each in value.items())
    return next((fault for fault in faults if fault), "")
