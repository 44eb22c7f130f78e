"""An envelope has one meaning: if two readers could read it differently, it is refused."""

import base64
import json
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kit.errors import SignatureError
from kit.result.strict_json import parse_json
from kit.signing.allowed_signers import TrustedKey
from kit.signing.envelope import PAYLOAD_TYPE, open_envelope, pae, seal
from kit.signing.keys import fingerprint
from kit.signing.signers import signer_of
from kit.signing.trust import GIVEN, RUNNER
from tests.toys.signed_result import KEY, TRUSTED

OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
SEALED = seal(b'{"a":1}', KEY)


def changed(**parts):
    return json.dumps(json.loads(SEALED) | parts).encode()


def with_signature(**parts):
    signature = json.loads(SEALED)["signatures"][0] | parts
    return changed(signatures=[signature])


def test_pae_is_that_of_the_dsse_specification():
    # protocol.md of secure-systems-lab/dsse, test vector "hello world"
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae("http://example.com/HelloWorld", b"hello world") == expected


def test_pae_counts_bytes_and_not_letters():
    assert pae("ä", "€".encode()) == b"DSSEv1 2 \xc3\xa4 3 \xe2\x82\xac"


def test_a_sealed_payload_opens_to_the_same_bytes_and_signer():
    envelope = open_envelope(SEALED)
    assert envelope.payload == b'{"a":1}'
    assert signer_of(envelope, TRUSTED) == TRUSTED[0]


def test_the_keyid_does_not_decide_who_signed():
    trusts_other = (TrustedKey(OTHER.public_key(), RUNNER, "x"),)
    with pytest.raises(SignatureError, match="not signed by a key that you trust"):
        signer_of(open_envelope(SEALED), trusts_other)


@pytest.mark.parametrize(
    "data",
    [
        *(with_signature(keyid=k) for k in ("", "0" * 64, fingerprint(OTHER.public_key()), 7)),
        changed(audited_by="a well-known institute, all claims REPRODUCED"),
        with_signature(cert="-----BEGIN CERTIFICATE-----"),
        SEALED + b"\n",
        json.dumps(json.loads(SEALED), indent=2).encode(),
    ],
)
def test_an_envelope_with_unsigned_content_is_refused(data):
    with pytest.raises(SignatureError, match="its signer did not write"):
        signer_of(open_envelope(data), TRUSTED)


def test_every_trusted_key_is_tried():
    keys = (TrustedKey(OTHER.public_key(), RUNNER, "x"), *TRUSTED)
    assert signer_of(open_envelope(SEALED), keys).role == GIVEN


def test_an_unknown_key_is_named_with_the_way_to_trust_it():
    with pytest.raises(SignatureError, match=r"--trust runner\.pub") as caught:
        signer_of(open_envelope(SEALED), ())
    assert fingerprint(KEY.public_key()) in str(caught.value)


def test_a_payload_changed_under_a_trusted_key_is_called_wrong():
    envelope = open_envelope(changed(payload=base64.b64encode(b'{"a":2}').decode()))
    with pytest.raises(SignatureError, match="changed after it was signed"):
        signer_of(envelope, TRUSTED)


def test_a_signature_for_another_payload_type_does_not_verify():
    signature = KEY.sign(pae("text/plain", b'{"a":1}'))
    envelope = open_envelope(with_signature(sig=base64.b64encode(signature).decode()))
    with pytest.raises(SignatureError):
        signer_of(envelope, TRUSTED)


def test_both_alphabets_of_base64_are_read():
    text = json.loads(SEALED)["signatures"][0]["sig"]
    envelope = open_envelope(with_signature(sig=text.replace("+", "-").replace("/", "_")))
    assert envelope.signature == open_envelope(SEALED).signature


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "JSON"),
        (b"\xff\xfe", "JSON"),
        (b"[]", "not a JSON object"),
        (SEALED[:-9], "JSON"),
        (SEALED.replace(b'"payload":', b'"payload":"e30=","payload":'), "occurs twice"),
        (changed(extra=float("nan")), "not a finite number"),
        (b'{"a":1e999}', "not a finite number"),
        (b'{"a":"\\ud800"}', "JSON"),
        (b"[" * 100_000, "other parts than a payload"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "nested 40 deep"),
        (b" " * (17 << 20), "larger than"),
        (changed(payloadType="application/json"), "payloadType"),
        (changed(payloadType=None), "payloadType"),
        (changed(signatures=[]), "carries no signature"),
        (changed(signatures=None), "carries no signature"),
        (changed(signatures=json.loads(SEALED)["signatures"] * 2), "2 signatures"),
        (changed(signatures=["sig"]), "signatures"),
        (with_signature(sig=None), "not base64"),
        (with_signature(sig=""), "a signature of 0 bytes"),
        (with_signature(sig="e30="), "a signature of 2 bytes"),
        (changed(payload="e3 0="), "payload is not base64"),
        (changed(payload="e30"), "payload is not base64"),
        (changed(payload="e31="), "stray bits"),
        (changed(payload="+_+_"), "mixes base64 alphabets"),
        (changed(payload="é30="), "payload is not base64"),
    ],
)
def test_a_malformed_envelope_is_refused_with_the_reason(data, reason):
    with pytest.raises(SignatureError, match=reason):
        open_envelope(data)


def test_brackets_inside_strings_are_not_nesting():
    assert parse_json(b'["' + b"[{" * 100 + b'\\"["]')


def test_openssl_agrees_with_the_signature(tmp_path):
    if not (openssl := shutil.which("openssl")):
        pytest.skip("openssl is not on PATH")
    envelope, public = open_envelope(SEALED), KEY.public_key()
    files = {
        "key": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "message": pae(PAYLOAD_TYPE, envelope.payload),
        "signature": envelope.signature,
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    command = "pkeyutl -verify -rawin -pubin -inkey key -in message -sigfile signature"
    done = subprocess.run([openssl, *command.split()], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "Signature Verified Successfully")
