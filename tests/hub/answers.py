"""The answers of the tests' hub, through its API or as a mirror, right or with a fault."""

import gzip
import hashlib
import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from tests.hub.faults import LARGE, PIECE, Fault, Repo

ADDRESS = re.compile(
    r"/api/(?P<kind>datasets|models)/(?P<repo>[^/]+/[^/]+)(/(?P<what>tree|revision)/(?P<rev>[^/]+))?"
)
FILE = re.compile(r"/(datasets/)?(?P<repo>[^/]+/[^/]+)/resolve/(?P<rev>[^/]+)/(?P<name>.+)")


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # a client that was killed
            super().handle_error(request, client_address)


def answering(hub: Any) -> type[BaseHTTPRequestHandler]:
    """Return a handler of requests to a hub."""
    return type("Handler", (_Handler,), {"hub": hub})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Any

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
        fault = self.hub.fault(f"api:{found['what'] or 'head'}")
        if fault.status != 200:
            return self._answer(fault.status, fault.headers)
        if fault.stall:
            self.hub.wait(fault.stall)
        if fault.cut is not None:
            self.close_connection = True
            return None
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
        # Another name, like the hub's second host, which must not get the token.
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
        data = data if fault.body is None else fault.body
        if fault.flip:
            data = data[:-1] + bytes([data[-1] ^ 1])
        if fault.gzip:
            data = gzip.compress(data, mtime=0)
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked and not fault.deaf else 0
        if start and start >= len(data):
            return self._answer(416, {"Content-Range": f"bytes */{len(data)}"})
        body = data[start:][: fault.piece] + bytes(fault.more)
        part = start or fault.piece is not None
        self.send_response(206 if part else 200)
        if part:
            end = start + len(body) - 1
            self.send_header("Content-Range", f"bytes {start}-{end}/{len(data)}")
        silent = fault.silent or bool(fault.more)
        if fault.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif silent:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(fault.length or len(body)))
        if fault.gzip:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("ETag", fault.etag or f'"{_sha256(data)[:40]}"')
        for name, value in {**(headers or {}), **fault.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self._send(body, fault)
        # Close: a client that was promised more bytes must not wait for them.
        self.close_connection |= silent or fault.cut is not None or fault.length is not None

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
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if fault.chunked else piece)
            except OSError:  # the client has gone
                self.close_connection = True
                return
            self.hub.count(len(piece))
        if fault.chunked and end == len(body):
            self.wfile.write(b"0\r\n\r\n")

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
    """Return a file's entry in the tree: its git hash, and its SHA-256 if it is large."""
    oid = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    entry: dict[str, Any] = {"type": "file", "path": name, "size": len(data), "oid": oid}
    if len(data) >= LARGE:
        digest = told.get("sha256") or _sha256(data)
        entry["lfs"] = {"oid": digest, "size": len(data), "pointerSize": 130}
    return {**entry, **{key: value for key, value in told.items() if key != "sha256"}}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
