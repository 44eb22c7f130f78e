"""The objects of a store in memory, as `kit.cluster.objects` gives those of a real one."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from kit.cluster.objects import PART, Listed


class ToyObjects:
    """One store for all caches of a test."""

    def __init__(self, url: str = "s3://toys/here") -> None:
        self.url = url
        self.held: dict[str, bytes] = {}
        self.reads: list[str] = []
        self._lock = threading.Lock()

    def named(self, key: str) -> str:
        return f"{self.url}/{key}"

    def read(self, key: str) -> bytes | None:
        self.reads.append(key)
        return self.held.get(key)

    def size(self, key: str) -> int | None:
        return len(self.held[key]) if key in self.held else None

    def parts(self, key: str, size: int) -> Iterator[bytes]:
        self.reads.append(key)
        for start in range(0, size, PART):
            yield self.held[key][start : start + PART]

    def write(self, key: str, data: bytes | Path) -> None:
        self.held[key] = data if isinstance(data, bytes) else data.read_bytes()

    def write_new(self, key: str, data: bytes) -> bool:
        with self._lock:
            return self.held.setdefault(key, data) is data

    def list(self, prefix: str) -> list[Listed]:
        return [Listed(key, 0.0) for key in self.held if key.startswith(f"{prefix}/")]

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            self.held.pop(key, None)
