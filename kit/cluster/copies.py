"""What a machine has of an object store: copies in its cache, made of bytes that were hashed.

A copy gets its name as a whole, after the digest of every file of it was compared. What was
compared is noted with sizes and times, so that a large base is not hashed for each piece of work.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from kit.artifacts import write_bytes
from kit.cluster.entries import ALONE, Entry, blob_of, damaged, described, files_below
from kit.cluster.objects import Objects
from kit.digests import sha256_file

FOLDER = "scratch/store"  # of a cache: notes, and copies that are not whole yet
AT_ONCE = 8  # files


class Copies:
    """The copies in a cache.

    Args:
        root: the cache of this machine.
        objects: of the store.
    """

    def __init__(self, root: Path, objects: Objects) -> None:
        self._root, self._objects = root, objects
        self._folder = root / FOLDER

    def own(self, name: str) -> Entry:
        """Return the entry of what is in the cache; its files are hashed unless they were before.

        Raises:
            OSError: it cannot be read.
        """
        noted = self._noted(name)
        if noted is not None:
            return noted
        entry = described(self._root, name)
        self._note(entry)
        return entry

    def bring(self, entry: Entry) -> None:
        """Make the cache hold what an entry says; other processes of this machine wait for it.

        Raises:
            ChecksumError: an object is not what its name says.
            OSError: the cache cannot be written.
        """
        place = self._root / entry.name
        if self._has(entry):
            return
        with self._alone():
            if self._has(entry):  # another process was faster
                return
            built = self._folder / f"{_flat(entry.name)}.partial"
            built.parent.mkdir(parents=True, exist_ok=True)
            if ALONE not in entry.files:
                built.mkdir(exist_ok=True)
                for left in set(files_below(built)) - set(entry.files):  # of another attempt
                    (built / left).unlink()
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(lambda path: self._file(entry, path, built), entry.files))
            _replace(built, place)
            self._note(entry)

    def _has(self, entry: Entry) -> bool:
        return (self._root / entry.name).exists() and self.own(entry.name) == entry

    def _file(self, entry: Entry, path: str, built: Path) -> None:
        """Put one file into a copy: from an earlier attempt, from the cache, or from the store."""
        size, digest = entry.files[path]
        target = built / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if _is(target, size, digest):
            return
        part = target.with_name(f".{target.name}.part")
        there = self._root / entry.name / path
        if _is(there, size, digest):
            shutil.copyfile(there, part)
        else:
            self._download(entry, size, digest, part)
        with part.open("rb+") as stream:
            os.fsync(stream.fileno())  # before a note says that its digest was compared
        os.replace(part, target)

    def _download(self, entry: Entry, size: int, digest: str, part: Path) -> None:
        key = blob_of(digest)
        address = self._objects.named(key)
        again = [address, self._objects.named(entry.key)]
        expected, hasher, length = f"{size} bytes, SHA-256 {digest}", hashlib.sha256(), 0
        there = self._objects.size(key)
        if there != size:
            found = None if there is None else f"{there} bytes"
            raise damaged(address, again, expected=expected, found=found)
        with part.open("wb") as stream:
            for piece in self._objects.parts(key, size):
                hasher.update(piece)
                length += len(piece)
                stream.write(piece)
        if (length, hasher.hexdigest()) != (size, digest):
            part.unlink()
            found = f"{length} bytes, SHA-256 {hasher.hexdigest()}"
            raise damaged(address, again, expected=expected, found=found)

    def _noted(self, name: str) -> Entry | None:
        """Return the entry of a copy whose files have the sizes and times that were noted."""
        try:
            noted = json.loads(self._note_of(name).read_bytes())
            if noted["times"] != _times(self._root / name):
                return None
            return Entry(name, {path: (n, sha) for path, (n, sha) in noted["files"].items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def _note(self, entry: Entry) -> None:
        values = {"files": entry.files, "times": _times(self._root / entry.name)}
        write_bytes(self._note_of(entry.name), json.dumps(values).encode())

    def _note_of(self, name: str) -> Path:
        return self._folder / f"{_flat(name)}.json"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait until no other process of this machine makes a copy: all need the same base."""
        path = self._root / "locks" / "store.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)  # released when the file is closed
            yield


def _flat(name: str) -> str:
    return name.replace("%", "%25").replace("/", "%2F")


def _is(path: Path, size: int, digest: str) -> bool:
    return path.is_file() and path.stat().st_size == size and sha256_file(path) == digest


def _times(place: Path) -> dict[str, list[int]]:
    """Return {path: [size, time of the last change, number of the file]} of all files."""
    found = {path: (place / path).stat() for path in files_below(place)}
    return {path: [s.st_size, s.st_mtime_ns, s.st_ino] for path, s in sorted(found.items())}


def _replace(built: Path, place: Path) -> None:
    """Give a copy its name; what had it goes away."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if built.is_file():
        os.replace(built, place)
        return
    gone = built.with_suffix(".gone")
    shutil.rmtree(gone, ignore_errors=True)
    with suppress(FileNotFoundError):
        os.rename(place, gone)
    os.rename(built, place)
    shutil.rmtree(gone, ignore_errors=True)
