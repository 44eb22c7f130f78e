"""A timestamp authority on this machine: `openssl ts` behind an HTTP server, under its own root.

It answers as RFC 3161, 3.4 says: POST of a query, and a response with the present time.
"""

import shutil
import subprocess
import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NAME = "CN=clock.example"
# Without tsa_name and ess_cert_id_chain, the response names its signer only by issuer and number.
SETTINGS = """\
[tsa]
serial = serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(subject: str, issuer: str, public: Any) -> x509.CertificateBuilder:
    now, serial = datetime.now(UTC), x509.random_serial_number()
    builder = x509.CertificateBuilder(_name(issuer), _name(subject), public, serial)
    return builder.not_valid_before(now - timedelta(days=1)).not_valid_after(
        now + timedelta(days=1)
    )


class Authority:
    """The authority, with its files in a folder; use it as a context to have it answer at `url`."""

    def __init__(self, folder: Path) -> None:
        if not shutil.which("openssl"):
            pytest.skip("openssl is not on PATH")
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.roots = folder, folder / "root.pem"
        self.answer: bytes | None = None  # what it answers instead of a timestamp
        root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        root = (
            _builder("root.example", "root.example", root_key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(root_key, SHA256())
        )
        usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        self.certificate = (
            _builder("clock.example", "root.example", key.public_key())
            .add_extension(usage, critical=True)
            .add_extension(purpose, critical=True)
            .sign(root_key, SHA256())
        )
        self.roots.write_bytes(root.public_bytes(Encoding.PEM))
        (folder / "leaf.pem").write_bytes(self.certificate.public_bytes(Encoding.PEM))
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "key").write_bytes(private)
        (folder / "serial").write_text("01\n")
        (folder / "settings").write_text(SETTINGS)

    def certificate_with_the_same_number(self) -> x509.Certificate:
        """Return another certificate with issuer and number of the authority's own."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder("clock.example", "root.example", key.public_key())
        builder._serial_number = self.certificate.serial_number
        # Longer than the authority's: openssl does not sort the certificates, and DER demands it.
        length = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.2"), bytes(400))
        return builder.add_extension(length, critical=False).sign(key, SHA256())

    def respond(self, query: bytes, extra: Iterable[x509.Certificate] = ()) -> bytes:
        """Return the response to a query (both DER), with `extra` certificates in it."""
        (self.folder / "query").write_bytes(query)
        pem = b"".join(each.public_bytes(Encoding.PEM) for each in extra)
        (self.folder / "extra.pem").write_bytes(pem)
        words = "ts -reply -config settings -section tsa -signer leaf.pem -inkey key -out response"
        self._openssl(f"{words} -queryfile query{' -chain extra.pem' if pem else ''}")
        return (self.folder / "response").read_bytes()

    def stamp(
        self, data: bytes, *, certificate: bool = True, extra: Iterable[x509.Certificate] = ()
    ) -> bytes:
        """Return a timestamp of `data`, with the certificate of its signer or without."""
        (self.folder / "data").write_bytes(data)
        self._openssl(f"ts -query -data data -sha256 -out query{' -cert' if certificate else ''}")
        return self.respond((self.folder / "query").read_bytes(), extra)

    def _openssl(self, words: str) -> None:
        command = ["openssl", *words.split()]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)

    def __enter__(self) -> "Authority":
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _answering(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _answering(authority: Authority) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            asked = self.headers["Content-Type"] == "application/timestamp-query"
            answer = authority.respond(query) if authority.answer is None else authority.answer
            self.send_response(200 if asked else 415)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
