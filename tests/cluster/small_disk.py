"""A disk of a few megabytes in memory, which can be filled and made read-only. Needs root."""

import errno
import subprocess
from pathlib import Path

BLOCK = b"\0" * 65536


class SmallDisk:
    """A tmpfs at a folder, until it is left.

    Nodes see it only if it is there before they start: each has mounts of its own.
    """

    def __init__(self, folder: Path, megabytes: int = 4) -> None:
        self.folder, self._size = folder, f"size={megabytes}m"

    def __enter__(self) -> "SmallDisk":
        self.folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", self._size, "none", self.folder], check=True)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", "--lazy", self.folder], check=True)

    def fill(self) -> None:
        """Leave no room on the disk."""
        with (self.folder / ".filling").open("ab", buffering=0) as stream:
            for size in (len(BLOCK), 1):
                try:
                    while stream.write(BLOCK[:size]) == size:
                        pass
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def free(self) -> None:
        """Give the room back."""
        (self.folder / ".filling").unlink()

    def refuse(self) -> None:
        """Make it read-only."""
        subprocess.run(["mount", "-o", "remount,ro", self.folder], check=True)

    def accept(self) -> None:
        """Make it writable again."""
        subprocess.run(["mount", "-o", "remount,rw", self.folder], check=True)
