"""A Sigstore on this machine: certificate authority, certificate log and transparency log.

It answers the requests that Sigstore's own client makes when it signs (Fulcio's `signingCert`,
Rekor's `log/entries`, version 1) with real certificates and proofs under keys of its own, and
describes itself as a client trust config. It certifies whatever a token states.
Sources: RFC 5280, RFC 6962 (certificate timestamps, Merkle trees), sigstore/docs: fulcio's
oid-info, rekor's openapi and transparency-dev/formats (checkpoints).
"""

import base64
import hashlib
import json
import struct
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ISSUER_EXTENSION = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
TIMESTAMPS_EXTENSION = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
JOB_EXTENSIONS = "1.3.6.1.4.1.57264.1"
LIFE = timedelta(minutes=10)
ORIGIN = "log.example - 1"


def token(
    identity: str, issuer: str, *, seconds: float = 300, audience: str = "sigstore", **more: str
) -> str:
    """Return an unsigned identity token; the authority of the tests does not check signatures.

    `more` are claims of a build service's job: their names are GitHub's.
    """
    now = int(time.time())
    claims = {"iss": issuer, "sub": identity, "email": identity, "aud": audience, "iat": now,
              "exp": int(now + seconds), **more}  # fmt: skip
    parts = [{"alg": "ES256", "typ": "JWT"}, claims]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    return b".".join([*encoded, b"AAAA"]).decode()


def _der(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _key_id(key: ec.EllipticCurvePrivateKey) -> bytes:
    return hashlib.sha256(_der(key)).digest()


def _signed(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    return key.sign(data, ec.ECDSA(SHA256()))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _workflow(claims: dict[str, str]) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(f"https://github.com/{claims['job_workflow_ref']}")


def _of_job(claims: dict[str, str]) -> dict[int, str]:
    """Return what Fulcio certifies of a job, by the number of its extension (docs/oid-info.md)."""
    run = f"{claims['repository']}/actions/runs/{claims['run_id']}/attempts/{claims['run_attempt']}"
    return {
        10: claims["job_workflow_sha"], 11: claims["runner_environment"], 13: claims["sha"],
        21: f"https://github.com/{run}",
    }  # fmt: skip


def _utf8(text: str) -> bytes:
    """Return a DER-encoded UTF8String of less than 256 bytes."""
    data = text.encode()
    size = bytes([len(data)]) if len(data) < 128 else bytes([0x81, len(data)])
    return b"\x0c" + size + data


class Instance:
    """The three services behind one address; use it as a context. `posted` counts requests."""

    def __init__(self) -> None:
        self.authority, self.certificate_log, self.log = (
            ec.generate_private_key(ec.SECP256R1()) for _ in range(3)
        )
        self.root = self._root()
        self.posted: list[tuple[str, Any]] = []
        self.down = ""  # a path that answers 503
        self.silent = ""  # a path that takes what is sent and never answers
        self.ended = threading.Event()
        self.delay = 0  # seconds between a request and the time that the log states
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _answering(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "Instance":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()

    def trust_config(self, path: Path) -> Path:
        """Write the file with which a client finds and trusts this instance."""
        start = {"start": "2020-01-01T00:00:00Z"}
        service = {"url": self.url, "majorApiVersion": 1, "validFor": start, "operator": "example"}

        def log(key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
            public = {"rawBytes": _base64(_der(key)), "keyDetails": "PKIX_ECDSA_P256_SHA_256"}
            return {
                "baseUrl": self.url,
                "hashAlgorithm": "SHA2_256",
                "publicKey": {**public, "validFor": start},
                "logId": {"keyId": _base64(_key_id(key))},
            }

        certificates = [{"rawBytes": _base64(self.root.public_bytes(Encoding.DER))}]
        authority = {
            "subject": {"organization": "example", "commonName": "authority"},
            "uri": self.url,
            "certChain": {"certificates": certificates},
            "validFor": start,
        }
        family = "application/vnd.dev.sigstore"
        config = {
            "mediaType": f"{family}.clienttrustconfig.v0.1+json",
            "trustedRoot": {
                "mediaType": f"{family}.trustedroot+json;version=0.1",
                "tlogs": [log(self.log)],
                "certificateAuthorities": [authority],
                "ctlogs": [log(self.certificate_log)],
                "timestampAuthorities": [],
            },
            "signingConfig": {
                "mediaType": f"{family}.signingconfig.v0.2+json",
                "caUrls": [service],
                "oidcUrls": [service],
                "rekorTlogUrls": [service],
                "rekorTlogConfig": {"selector": "ANY"},
                "tsaUrls": [],
                "tsaConfig": {"selector": "ANY"},
            },
        }
        path.write_text(json.dumps(config), encoding="utf-8")
        return path

    def _root(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        now = datetime.now(UTC)
        public = self.authority.public_key()
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        return (
            x509.CertificateBuilder(name, name, public, x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self.authority, SHA256())
        )

    def certificate(self, body: Any, bearer: str) -> dict[str, Any]:
        """Answer Fulcio's signingCert: a certificate for the identity that the token states."""
        request = base64.b64decode(body["certificateSigningRequest"])
        public: Any = x509.load_pem_x509_csr(request).public_key()
        padded = bearer.split(".")[1] + "=="
        claims = json.loads(base64.urlsafe_b64decode(padded))
        now = datetime.now(UTC).replace(microsecond=0)
        usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
        job = "job_workflow_ref" in claims
        who = _workflow(claims) if job else x509.RFC822Name(claims["sub"])
        name = x509.SubjectAlternativeName([who])
        issuer = x509.UnrecognizedExtension(ISSUER_EXTENSION, claims["iss"].encode())
        known = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.authority.public_key())
        serial = x509.random_serial_number()
        builder = (
            x509.CertificateBuilder(self.root.subject, x509.Name([]), public, serial)
            .not_valid_before(now - timedelta(seconds=5))
            .not_valid_after(now + LIFE)
            .add_extension(usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False)
            .add_extension(known, critical=False)
            .add_extension(name, critical=True)
            .add_extension(issuer, critical=False)
        )
        for number, text in _of_job(claims).items() if job else ():
            stated = x509.UnrecognizedExtension(
                x509.ObjectIdentifier(f"{JOB_EXTENSIONS}.{number}"), _utf8(text)
            )
            builder = builder.add_extension(stated, critical=False)
        # The log signs the certificate without its own extension, which then holds the signature.
        before = self._with_timestamp(builder, bytes(8)).tbs_precertificate_bytes
        final = self._with_timestamp(builder, self._timestamp(before, now))
        chain = [each.public_bytes(Encoding.PEM).decode() for each in (final, self.root)]
        return {"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}

    def _with_timestamp(self, builder: x509.CertificateBuilder, stamp: bytes) -> x509.Certificate:
        entries = struct.pack("!H", len(stamp)) + stamp
        listed = struct.pack("!H", len(entries)) + entries
        length = len(listed)
        assert length < 256
        octets = b"\x04" + (bytes([length]) if length < 128 else b"\x81" + bytes([length])) + listed
        extension = x509.UnrecognizedExtension(TIMESTAMPS_EXTENSION, octets)
        return builder.add_extension(extension, critical=False).sign(self.authority, SHA256())

    def _timestamp(self, certificate: bytes, now: datetime) -> bytes:
        """Return a signed certificate timestamp (RFC 6962, 3.2) of a precertificate."""
        moment = int(now.timestamp() * 1000)
        entry = _key_id(self.authority) + len(certificate).to_bytes(3, "big") + certificate
        signed = struct.pack("!BBQH", 0, 0, moment, 1) + entry + struct.pack("!H", 0)
        signature = _signed(self.certificate_log, signed)
        head = b"\0" + _key_id(self.certificate_log) + struct.pack("!QH", moment, 0)
        return head + bytes([4, 3]) + struct.pack("!H", len(signature)) + signature

    def entry(self, body: Any) -> dict[str, Any]:
        """Answer Rekor's log/entries: the entry as the second leaf of a tree, with its proof."""
        content = body["spec"]["proposedContent"]
        envelope = json.loads(content["envelope"])
        payload = base64.b64decode(envelope["payload"])
        digests = [
            {"algorithm": "sha256", "value": hashlib.sha256(data).hexdigest()}
            for data in (content["envelope"].encode(), payload)
        ]
        signatures = [
            {"signature": each["sig"], "verifier": content["verifiers"][0]}
            for each in envelope["signatures"]
        ]
        spec = {"envelopeHash": digests[0], "payloadHash": digests[1], "signatures": signatures}
        return self._logged({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec})

    def _logged(self, recorded: dict[str, Any]) -> dict[str, Any]:
        canonical = json.dumps(recorded, sort_keys=True, separators=(",", ":")).encode()
        first, leaf = (hashlib.sha256(b"\0" + data).digest() for data in (b"first", canonical))
        top = hashlib.sha256(b"\1" + first + leaf).digest()
        note = f"{ORIGIN}\n2\n{_base64(top)}\n"
        signature = _base64(_key_id(self.log)[:4] + _signed(self.log, note.encode()))
        entry = {
            "body": _base64(canonical),
            "integratedTime": int(time.time()) + self.delay,
            "logID": _key_id(self.log).hex(),
            "logIndex": 41,
        }
        promised = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()
        proof = {
            "checkpoint": f"{note}\n\u2014 log.example {signature}\n",
            "hashes": [first.hex()],
            "logIndex": 1,
            "rootHash": top.hex(),
            "treeSize": 2,
        }
        promise = _base64(_signed(self.log, promised))
        return {
            leaf.hex(): {
                **entry,
                "verification": {"inclusionProof": proof, "signedEntryTimestamp": promise},
            }
        }


def _answering(instance: Instance) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            instance.posted.append((self.path, body))
            if self.path == instance.down:
                self.send_error(503)
                return
            if self.path == instance.silent:
                instance.ended.wait()
                return
            if self.path == "/api/v2/signingCert":
                bearer = self.headers["Authorization"].removeprefix("Bearer ")
                said = instance.certificate(body, bearer)
            else:
                said = instance.entry(body)
            data = json.dumps(said).encode()
            self.send_response(201)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
