"""The bytes of a file that have arrived so far: they survive a kill, and the next call resumes."""

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from kit.digests import CHUNK
from kit.fetch.version import Version


class Part:
    """The first bytes of a file, in `path`; a note beside it records which version they have."""

    def __init__(self, path: Path) -> None:
        self.path, self._note = path, path.with_name(f"{path.name}.from")

    @property
    def held(self) -> int:
        """How many bytes have arrived."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def version(self) -> Version | None:
        """Which version of the file the bytes are from, if known."""
        return Version.read(self._note)

    def hash_held(self) -> "hashlib._Hash":
        """Return a SHA-256 hasher that has read the bytes so far."""
        hasher = hashlib.sha256()
        if self.path.exists():
            with self.path.open("rb") as stream:
                while chunk := stream.read(CHUNK):
                    hasher.update(chunk)
        return hasher

    def begin(self, version: Version) -> None:
        """Start over with a version of the file."""
        # In this order: otherwise a kill between the two would leave old bytes with a new note.
        self.drop()
        version.write(self._note)

    def drop(self) -> None:
        """Delete the bytes so far."""
        self.path.unlink(missing_ok=True)

    def append(
        self, held: int, chunks: Iterable[bytes], arrived: Callable[[int, bytes], None]
    ) -> int:
        """Write chunks after the first `held` bytes; return the number of bytes then.

        Args:
            arrived: called before a chunk is written, with the number of bytes that the part will
                have and the chunk.
        """
        with self.path.open("ab") as stream:
            stream.truncate(held)
            for chunk in chunks:
                held += len(chunk)
                arrived(held, chunk)
                stream.write(chunk)
            stream.flush()
            os.fsync(stream.fileno())
        return held
