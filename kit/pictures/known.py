"""What was found about pictures, kept by their digests: each is decoded once on a machine."""

import json
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import PIL

from kit.artifacts import cache_root, write_json
from kit.code import code_of
from kit.digests import sha256_value
from kit.pictures.decoding import UnreadableError, examine

DIGITS = 32  # of a digest, as in the names of unpacked images
WORKERS = len(os.sched_getaffinity(0))
MAX_WAITING = 64  # pictures in memory at a time


class KnownPictures:
    """Examines pictures beside other work, and knows those of earlier calls."""

    def __init__(self, known: dict[str, list[str]], pool: ThreadPoolExecutor) -> None:
        self.changes = known
        """Digest -> what is done to the picture, in keys of `kit.pictures.decoding.MARKS`."""
        self.errors: dict[str, UnreadableError] = {}
        """Digest -> why a picture cannot be read; it is examined again by the next call."""
        self._pool = pool
        self._waiting: deque[Future[None]] = deque()

    def examine(self, digest: str, data: bytes | Path) -> None:
        """Examine a picture some time before `wait` returns, unless its digest is known.

        Args:
            digest: of its bytes, the first `DIGITS` digits or more.
            data: its bytes, or the file that holds them.
        """
        digest = digest[:DIGITS]
        if digest in self.changes or digest in self.errors:
            return
        while len(self._waiting) >= MAX_WAITING:
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(self._examine, digest, data))

    def wait(self) -> None:
        """Return when all pictures have been examined."""
        while self._waiting:
            self._waiting.popleft().result()

    def _examine(self, digest: str, data: bytes | Path) -> None:
        try:
            found = examine(data if isinstance(data, bytes) else data.read_bytes())
        except UnreadableError as error:
            self.errors[digest] = error
        else:
            self.changes[digest] = list(found)


@contextmanager
def known_pictures() -> Iterator[KnownPictures]:
    """Give what earlier calls have found; keep what is found now, also before an error."""
    path = known_path()
    known = _read(path)
    before = len(known)
    with ThreadPoolExecutor(WORKERS) as pool:  # Pillow decodes beside other threads
        pictures = KnownPictures(known, pool)
        try:
            yield pictures
        finally:
            pictures.wait()
            if len(known) > before:
                write_json(path, known)


def known_path() -> Path:
    """Return the file that keeps what was found, for this decoder and this Pillow."""
    decoder = {"code": code_of(["kit.pictures.decoding"]), "pillow": PIL.__version__}
    return cache_root() / "data" / f"pictures-{sha256_value(decoder)[:16]}.json"


def _read(path: Path) -> dict[str, list[str]]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    whole = isinstance(known, dict) and all(map(_are_marks, known.values()))
    return known if whole else {}


def _are_marks(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)
