"""The records of the next step are encoded in a thread while the model computes this one.

The thread fills the batcher's cache and nothing else, so no bit depends on it. It works only while
the main thread encodes nothing: processor and cache are never used by two threads at a time.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from kit.benchmarks.records import Record
from kit.model.batches import Batcher


class Prefetcher:
    """One thread that decodes and encodes images ahead."""

    def __init__(self, batcher: Batcher) -> None:
        self._batcher = batcher
        self._thread = ThreadPoolExecutor(1, "prefetch")
        self._running: Future[list[int]] | None = None

    def start(self, records: Sequence[Record]) -> None:
        """Begin to encode records that are needed soon."""
        self._running = self._thread.submit(self._batcher.encode, records)

    def finish(self) -> None:
        """Wait until the thread is idle; call it before anything else is encoded.

        A record that could not be encoded raises its error where it is needed: the batcher tries it
        again.
        """
        if self._running is not None:
            self._running.exception()
            self._running = None

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(cancel_futures=True)
