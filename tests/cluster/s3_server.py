"""A real S3 server on this machine: moto's, in a process of its own, behind a door with faults.

moto needs versions of packages that the locks have not, so it has an environment of its own. The
door passes requests on, and can answer some of them itself.
"""

import http.client
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from kit.artifacts import cache_root
from tests.supply_chain.test_environments import refuse

PACKAGE = "moto[server,s3]==5.2.5"
# What the standard variables hold: no line that anything prints may contain one of them.
KEY, SECRET, TOKEN = "AKIACANARYOFTESTS", "canary-of-a-secret-key", "canary-of-a-session"
BUCKET = "experiments"
START_S = 120.0
ERROR = (
    '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>no</Message>'
    f"<AWSAccessKeyId>{KEY}</AWSAccessKeyId></Error>"
)


def environment() -> Path:
    """Return moto's environment; build it once for this cache, or skip where there is no index."""
    folder = cache_root() / "tools" / re.sub(r"[^a-z0-9.]+", "-", PACKAGE)
    if not (folder / ".complete").is_file():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = [str(folder / "bin" / "pip"), "install", "--quiet", PACKAGE]
        refuse(subprocess.run(install, capture_output=True, text=True, check=False))
        (folder / ".complete").touch()
    return folder


@contextmanager
def moto(log: Path, **variables: str) -> Iterator[str]:
    """Give the address of a server with one bucket, as HOST:PORT."""
    command = [str(environment() / "bin" / "moto_server"), "-H", "127.0.0.1", "-p", "0"]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, stdout=stream, stderr=stream, env={**os.environ, **variables}
        )
    try:
        address = _address(process, log)
        call(address, "PUT", f"/{BUCKET}")
        yield address
    finally:
        process.kill()
        process.wait()


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    end = time.monotonic() + START_S
    while not (found := re.search(r"Running on http://([\d.]+:\d+)", log.read_text())):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)
    return found[1]


def call(address: str, method: str, path: str) -> int:
    """Send a request without a key; return the status."""
    connection = http.client.HTTPConnection(address)
    connection.request(method, path)
    return connection.getresponse().status


@dataclass
class Fault:
    """What the door does with requests.

    A request is meant by a part of "METHOD path"; `times` counts those that are still to fail.
    """

    about: str
    times: int = 1_000_000
    status: int = 0
    """Of an answer of the door's own, with this code; 0 passes the request on."""
    code: str = ""
    slow_s: float = 0.0
    without: str = ""
    """A header of the request that is left out."""
    cut: bool = False
    """The answer has half of its body, and the connection ends."""
    lost: bool = False
    """The server does what it is asked, but its answer never arrives."""


class Door:
    """Passes requests on to a server, but for faults."""

    def __init__(self, address: str) -> None:
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        door, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                what = f"{self.command} {self.path}"
                with lock:
                    door.requests.append(what)
                    fault = next((f for f in door.faults if f.times and f.about in what), None)
                    if fault is not None:
                        fault.times -= 1
                fault = fault or Fault("")
                time.sleep(fault.slow_s)
                if fault.status:
                    self.answer(fault.status, ERROR.format(code=fault.code).encode(), {})
                    return
                headers = {k: v for k, v in self.headers.items() if k.lower() != fault.without}
                connection = http.client.HTTPConnection(address)
                connection.request(self.command, self.path, body, headers)
                reply = connection.getresponse()
                kept = ("etag", "last-modified", "content-type", "content-range")
                passed = {k: v for k, v in reply.getheaders() if k.lower() in kept}
                said = reply.read()
                if fault.lost:
                    self.close_connection = True
                    return
                if self.command == "HEAD":
                    passed["Content-Length"] = reply.headers.get("Content-Length", "0")
                self.answer(reply.status, said, passed, cut=fault.cut)

            def answer(
                self, status: int, body: bytes, headers: dict[str, str], *, cut: bool = False
            ) -> None:
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body[: len(body) // 2] if cut else body)
                self.close_connection = self.close_connection or cut

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = pass_on  # noqa: N815

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "Door":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def variables(endpoint: str) -> dict[str, str]:
    """Return the standard variables that lead to a server."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": TOKEN,
    }
