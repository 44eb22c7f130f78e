"""A hub on this machine: the HTTP interface that huggingface_hub calls, with faults on demand.

It serves repositories (models and datasets) and their trees, small files directly and large ones by
a redirect to a second path, as the hub does. It serves the same files as a plain mirror. A test can
give each file a `Fault`. Requests and sent bytes are counted.
"""

import threading
import time
from collections import defaultdict
from typing import Any

from tests.hub.answers import Server, answering
from tests.hub.faults import Fault, Repo


class Hub:
    """The server, a context manager; `url` is the HF_ENDPOINT, `mirror` the base of plain files."""

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
        self._server = Server(("127.0.0.1", 0), answering(self))
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
        """Add a fault to the answers with a file, of the hub or of the mirror.

        The names "api:head" and "api:tree" are the answers about a repository.
        """
        self._faults[f"mirror:{name}" if mirror else name].append(fault)

    def heal(self) -> None:
        """Forget all faults, and the counts."""
        with self._lock:
            self._faults.clear()
            self.requests.clear()
            self.moments.clear()
            self.sent = 0

    def fault(self, key: str) -> Fault:
        """Return the fault of the next answer, or None."""
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
