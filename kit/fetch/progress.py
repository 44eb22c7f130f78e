"""The progress of a download: a bar on a terminal, elsewhere a plain line every ten seconds."""

import time
from threading import Lock
from types import TracebackType

from kit.console import clear_status, event, is_live, status

BAR_CHARACTERS = 24
TERMINAL_SECONDS, PLAIN_SECONDS = 0.2, 10.0  # between two updates


class Meter:
    """Counts bytes and files of many threads; `total` is in bytes, 0 if unknown."""

    def __init__(self, name: str, files: int, total: int) -> None:
        self._name, self._files, self._total = name, files, total
        self._lock, self._bytes, self._done = Lock(), 0, 0
        self._every = TERMINAL_SECONDS if is_live() else PLAIN_SECONDS
        self._started = time.monotonic()
        self._next = self._started + self._every

    def __enter__(self) -> "Meter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        clear_status()

    def bytes(self, count: int) -> None:
        """Count bytes that arrived."""
        with self._lock:
            self._bytes += count
            self._show()

    def file(self) -> None:
        """Count a file that is complete."""
        with self._lock:
            self._done += 1
            self._show()

    def _show(self) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + self._every
        rate = self._bytes / max(now - self._started, 1e-9)
        text = f"fetch: {self._name}: {self._done} of {self._files} files, {self._bytes / 1e6:.0f}"
        text += f" of {self._total / 1e6:.0f} MB" if self._total else " MB"
        text += f", {rate / 1e6:.1f} MB/s"
        if self._total and rate:
            text += f", {max(0, self._total - self._bytes) / rate:.0f} s left"
        share = min(1.0, self._bytes / self._total) if self._total else 0.0
        bar = f"[{'#' * int(BAR_CHARACTERS * share):<{BAR_CHARACTERS}}] "
        status(f"{bar if is_live() else ''}{text}")
        event(
            "transfer",
            source=self._name,
            files=self._done,
            of_files=self._files,
            bytes=self._bytes,
            of_bytes=self._total or None,
        )
