"""How far a download is: a bar on a terminal, a plain line now and then elsewhere."""

import sys
import time
from threading import Lock
from types import TracebackType

BAR = 24  # characters
TERMINAL, PLAIN = 0.2, 10.0  # seconds between two updates


class Meter:
    """Counts bytes and files from many threads; `total` is in bytes, 0 where it is not known."""

    def __init__(self, name: str, files: int, total: int) -> None:
        self._name, self._files, self._total = name, files, total
        self._lock, self._bytes, self._done = Lock(), 0, 0
        self._terminal = sys.stderr.isatty()
        self._started = time.monotonic()
        self._next = self._started + (TERMINAL if self._terminal else PLAIN)

    def __enter__(self) -> "Meter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def bytes(self, count: int) -> None:
        """Note that bytes arrived."""
        with self._lock:
            self._bytes += count
            self._show()

    def file(self) -> None:
        """Note that a file is whole."""
        with self._lock:
            self._done += 1
            self._show()

    def _show(self) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + (TERMINAL if self._terminal else PLAIN)
        rate = self._bytes / max(now - self._started, 1e-9)
        text = f"fetch: {self._name}: {self._done} of {self._files} files, {self._bytes / 1e6:.0f}"
        text += f" of {self._total / 1e6:.0f} MB" if self._total else " MB"
        text += f", {rate / 1e6:.1f} MB/s"
        if self._total and rate:
            text += f", {max(0, self._total - self._bytes) / rate:.0f} s left"
        if not self._terminal:
            print(text, file=sys.stderr, flush=True)
            return
        share = min(1.0, self._bytes / self._total) if self._total else 0.0
        bar = "#" * int(BAR * share)
        print(f"\r\033[K[{bar:<{BAR}}] {text}", end="", file=sys.stderr, flush=True)
