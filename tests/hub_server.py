"""A hub on this machine: the HTTP interface that huggingface_hub calls, with faults on demand.

It serves repositories (models and datasets), their trees, small files in place and large ones by a
redirect to a second path, as the hub does, and the same files once more as a plain mirror. Every
file can be told to misbehave: see `Fault`. Requests and sent bytes are counted.
"""

import hashlib
import json
import re
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote, urlsplit

REVISION = "0123456789abcdef0123456789abcdef01234567"
OTHER_REVISION = "89abcdef0123456789abcdef0123456789abcdef"
LARGE = 1000  # bytes; from here on a file is in LFS
PIECE = 16_384
ADDRESS = re.compile(
    r"/api/(?P<kind>datasets|models)/(?P<repo>[^/]+/[^/]+)(/(?P<what>tree|revision)/(?P<rev>[^/]+))?"
)
FILE = re.compile(r"/(datasets/)?(?P<repo>[^/]+/[^/]+)/resolve/(?P<rev>[^/]+)/(?P<name>.+)")


@dataclass(frozen=True)
class Fault:
    """What is wrong with one answer; `times` is how many answers it spoils.

    `cut`: the connection closes after so many bytes. `length`: this Content-Length instead of the
    right one. `silent`: no Content-Length at all. `flip`: the last byte is another one. `deaf`:
    Range is ignored. `stall`: seconds without a byte after half of them. `etag`: another ETag.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    length: int | None = None
    silent: bool = False
    flip: bool = False
    deaf: bool = False
    stall: float = 0.0
    etag: str | None = None
    times: int = 1_000_000


@dataclass
class Repo:
    """One repository: its files at one revision; `told` changes what the tree says of a file."""

    files: dict[str, bytes]
    revision: str = REVISION
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    status: int = 200
    error: str = ""
    token: str | None = None


class Hub:
    """The server; use it as a context. `url` is the HF_ENDPOINT, `mirror` a base of plain files."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.plain: dict[str, bytes] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.moments: list[float] = []
        self.sent = 0
        self.pace = 0.0  # seconds between two pieces of 16 KiB
        self._faults: dict[str, list[Fault]] = defaultdict(list)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        hub = self

        class Handler(_Handler):
            pass

        Handler.hub = hub
        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.mirror = f"{self.url}/mirror"

    def __enter__(self) -> "Hub":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()

    def add(self, repo: str, files: dict[str, bytes], **more: Any) -> Repo:
        """Add a repository, "owner/name", or replace it."""
        self.repos[repo] = Repo(dict(files), **more)
        return self.repos[repo]

    def spoil(self, name: str, fault: Fault, *, mirror: bool = False) -> None:
        """Let the answers that carry a file be wrong, those of the hub or those of the mirror."""
        self._faults[f"mirror:{name}" if mirror else name].append(fault)

    def heal(self) -> None:
        """Forget all faults, and the counts."""
        with self._lock:
            self._faults.clear()
            self.requests.clear()
            self.moments.clear()
            self.sent = 0

    def fault(self, key: str) -> Fault:
        """Return the fault of the next answer, which may be none."""
        with self._lock:
            waiting = self._faults[key]
            if not waiting:
                return Fault()
            first = waiting[0]
            spent = Fault(**{**vars(first), "times": first.times - 1})
            waiting[:1] = [spent] if spent.times else []
            return first

    def note(self, method: str, path: str, headers: dict[str, str]) -> None:
        """Count a request."""
        with self._lock:
            self.requests.append((method, path, headers))
            self.moments.append(time.monotonic())

    def count(self, length: int) -> None:
        """Count bytes of files that were sent."""
        with self._lock:
            self.sent += length

    def wait(self, seconds: float) -> bool:
        """Sleep until the server stops; return whether it has."""
        return self._stopped.wait(seconds)

    def gets(self, part: str) -> list[dict[str, str]]:
        """Return the headers of the requests for bytes whose path holds `part`."""
        return [h for method, path, h in self.requests if method == "GET" and part in path]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # a client that was killed
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.note(self.command, path, {k.lower(): v for k, v in self.headers.items()})
        if path.startswith("/mirror/"):
            return self._file(self.hub.plain.get(path[8:]), f"mirror:{path[8:]}")
        if path.startswith("/cdn/"):
            _, _, owner, name, file = path.split("/", 4)
            return self._file(self.hub.repos[f"{owner}/{name}"].files.get(file), file)
        found = ADDRESS.fullmatch(path) or FILE.fullmatch(path)
        repo = self.hub.repos.get(found["repo"]) if found else None
        if found is None or repo is None:
            return self._answer(404, {"X-Error-Code": "RepoNotFound"})
        if repo.token and self.headers.get("Authorization") != f"Bearer {repo.token}":
            return self._answer(401, {"X-Error-Code": "GatedRepo"})
        if repo.status != 200:
            return self._answer(repo.status, {"X-Error-Code": repo.error} if repo.error else {})
        if found["rev"] not in (None, "main", repo.revision):
            return self._answer(404, {"X-Error-Code": "RevisionNotFound"})
        if "name" in found.re.groupindex:
            return self._resolve(repo, found["repo"], found["name"])
        return self._describe(repo, found)

    def _describe(self, repo: Repo, found: "re.Match[str]") -> None:
        if found["what"] == "tree":
            entries = [_entry(name, data, repo.told.get(name, {})) for name, data in
                       repo.files.items()]  # fmt: skip
            folders = sorted({n.rpartition("/")[0] for n in repo.files if "/" in n})
            entries += [{"type": "directory", "path": n, "oid": "0" * 40} for n in folders]
            return self._answer(200, {}, json.dumps(entries).encode())
        about = {"id": found["repo"], "sha": repo.revision, "siblings": [], "tags": []}
        self._answer(200, {}, json.dumps(about).encode())

    def _resolve(self, repo: Repo, name: str, file: str) -> None:
        data = repo.files.get(file)
        if data is None or len(data) < LARGE:
            return self._file(data, file, {"X-Repo-Commit": repo.revision})
        # A name of its own: as the hub's second host, it must not be given the token.
        place = f"http://localhost:{self.hub.url.rpartition(':')[2]}/cdn/{name}/{quote(file)}"
        headers = {"Location": place, "X-Repo-Commit": repo.revision}
        headers |= {"X-Linked-Size": str(len(data)), "X-Linked-ETag": f'"{_sha256(data)}"'}
        self._answer(302, headers)

    def _file(self, data: bytes | None, key: str, headers: dict[str, str] | None = None) -> None:
        fault = self.hub.fault(key)
        if fault.status != 200:
            return self._answer(fault.status, fault.headers)
        if data is None:
            return self._answer(404, {"X-Error-Code": "EntryNotFound"})
        if fault.flip:
            data = data[:-1] + bytes([data[-1] ^ 1])
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked and not fault.deaf else 0
        if start and start >= len(data):
            return self._answer(416, {"Content-Range": f"bytes */{len(data)}"})
        body = data[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if fault.silent:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(fault.length or len(body)))
        self.send_header("ETag", fault.etag or f'"{_sha256(data)[:40]}"')
        for name, value in {**(headers or {}), **fault.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self._send(body, fault)
        # Whoever was promised another number of bytes must not wait for them.
        self.close_connection |= fault.silent or fault.cut is not None or fault.length is not None

    def _send(self, body: bytes, fault: Fault) -> None:
        end = len(body) if fault.cut is None else min(len(body), fault.cut)
        if fault.length is not None:
            end = min(end, fault.length)
        for start in range(0, end, PIECE):
            piece = body[start : min(end, start + PIECE)]
            if fault.stall and start + len(piece) > end // 2:
                self.hub.wait(fault.stall)
            if self.hub.pace and self.hub.wait(self.hub.pace):
                return
            try:
                self.wfile.write(piece)
            except OSError:  # the client has gone
                self.close_connection = True
                return
            self.hub.count(len(piece))

    def _answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


def _entry(name: str, data: bytes, told: dict[str, Any]) -> dict[str, Any]:
    """Return what the tree says of a file: its git object, and its SHA-256 if it is large."""
    oid = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    entry: dict[str, Any] = {"type": "file", "path": name, "size": len(data), "oid": oid}
    if len(data) >= LARGE:
        digest = told.get("sha256") or _sha256(data)
        entry["lfs"] = {"oid": digest, "size": len(data), "pointerSize": 130}
    return {**entry, **{key: value for key, value in told.items() if key != "sha256"}}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
