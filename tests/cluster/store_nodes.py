"""Two nodes of a Ray cluster and a driver that share no folder, only an S3 server beside them."""

import subprocess
import sys
from pathlib import Path

from tests.cluster import s3_server
from tests.cluster.ray_nodes import TwoNodes
from tests.cluster.toy_runs import until

PORT = 9977
STORE = f"s3://{s3_server.BUCKET}/sweep"


class StoreNodes(TwoNodes):
    """The nodes, each with a cache of its own, and moto's server at the head's address.

    Args:
        root: of the caches.
    """

    def __init__(self, root: Path, cpus: int = 2) -> None:
        caches = [root / name for name in ("driver", "first", "second")]
        for cache in caches:
            cache.mkdir()
        super().__init__(caches[0], cpus, caches=caches[1:])
        self._log = (root / "moto.log").open("wb")
        self._variables = s3_server.variables(f"http://{self.host}:{PORT}")
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "StoreNodes":
        super().__enter__()
        self.serve()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_serving()
        super().__exit__()
        self._log.close()

    def serve(self) -> None:
        """Start the server with an empty bucket."""
        words = [s3_server.environment() / "bin/moto_server", "-H", self.host, "-p", PORT]
        self._server = subprocess.Popen(self.command(0, words), stdout=self._log, stderr=self._log)
        until(lambda: self.request("GET", "/") == "200")
        self.make_bucket()

    def stop_serving(self) -> None:
        """Kill the server; what it held is gone."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None

    def make_bucket(self) -> None:
        """Make the bucket."""
        assert self.request("PUT", f"/{s3_server.BUCKET}") == "200"

    def remove_bucket(self) -> None:
        """Remove the bucket, which is empty."""
        assert self.request("DELETE", f"/{s3_server.BUCKET}") == "204"

    def request(self, method: str, path: str) -> str:
        """Send a request without a key from the head; return the status, "" without an answer."""
        code = (
            "import http.client, sys; c = http.client.HTTPConnection(sys.argv[1]); "
            "c.request(*sys.argv[2:4]); print(c.getresponse().status)"
        )
        words = [sys.executable, "-c", code, f"{self.host}:{PORT}", method, path]
        done = subprocess.run(self.command(0, words), capture_output=True, text=True)
        return done.stdout.strip()
