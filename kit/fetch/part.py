"""What has arrived of a file so far; it survives a kill, and the next call goes on with it."""

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from kit.digests import CHUNK
from kit.fetch.version import Version


class Part:
    """The first bytes of a file in `path`, and beside it a note of the version that they are of."""

    def __init__(self, path: Path) -> None:
        self.path, self._note = path, path.with_name(f"{path.name}.from")

    @property
    def held(self) -> int:
        """How many bytes there are."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def version(self) -> Version | None:
        """Whose bytes they are, if that is known."""
        return Version.read(self._note)

    def hashed(self) -> "hashlib._Hash":
        """Return the hash of what is there."""
        hasher = hashlib.sha256()
        if self.path.exists():
            with self.path.open("rb") as stream:
                while chunk := stream.read(CHUNK):
                    hasher.update(chunk)
        return hasher

    def begin(self, version: Version) -> None:
        """Begin anew with a version."""
        # In this order, or a kill would leave old bytes that pass for the new version's.
        self.drop()
        version.write(self._note)

    def drop(self) -> None:
        """Forget what is there."""
        self.path.unlink(missing_ok=True)

    def append(
        self, held: int, chunks: Iterable[bytes], arrived: Callable[[int, bytes], None]
    ) -> int:
        """Write chunks behind the first `held` bytes; return how many bytes there are then.

        Args:
            arrived: is called before each is written with how many there will be, and the chunk.
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
