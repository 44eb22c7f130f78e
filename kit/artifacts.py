"""Where things lie on disk, and how they get there: whole or not at all.

An artifact is a folder named by the digest of everything that decides its content. It is built
beside its final place and renamed, so a folder that is there is complete and is never made again.
"""

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.errors import BusyError, MissingStageError, StorageError

PROJECT = Path(__file__).resolve().parent.parent


def cache_root() -> Path:
    """Return the folder of everything that can be made again (`PEBENCH_CACHE`)."""
    return Path(os.environ.get("PEBENCH_CACHE") or PROJECT / ".cache")


def results_root() -> Path:
    """Return the folder of results (`PEBENCH_RESULTS`)."""
    return Path(os.environ.get("PEBENCH_RESULTS") or PROJECT / "results")


def project_path(name: str) -> Path:
    """Resolve a manifest's path: relative ones start at the project's root."""
    return PROJECT / name


@dataclass(frozen=True)
class Artifact:
    """One content-addressed folder of the cache."""

    stage: str
    name: str
    digest: str

    @property
    def path(self) -> Path:
        """The final place."""
        return cache_root() / "artifacts" / f"{self.stage}-{self.name}-{self.digest[:16]}"

    @property
    def partial(self) -> Path:
        """Where it is built; what a killed run left here is resumed or made anew."""
        return self.path.with_name(self.path.name + ".partial")

    @property
    def done(self) -> bool:
        """Whether the artifact is complete."""
        return (self.path / "job.json").is_file()

    def publish(self, job: dict[str, Any]) -> None:
        """Write `job.json` and move the built folder to its final place."""
        write_json(self.partial / "job.json", {**job, "digest": self.digest, "name": self.name})
        if self.path.exists():
            shutil.rmtree(self.path)
        os.replace(self.partial, self.path)

    def job(self) -> dict[str, Any]:
        """Return what was recorded when the artifact was made.

        Raises:
            MissingStageError: the artifact has not been made.
        """
        if not self.done:
            raise MissingStageError(
                f"{self.name} is not there", remedy=f"run `./run.sh {self.stage}` first"
            )
        return dict(json.loads((self.path / "job.json").read_text(encoding="utf-8")))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically: readers see the old bytes or the new ones, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk does not name the file
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """Write readable JSON atomically; NaN is refused (ValueError)."""
    write_bytes(path, readable_json(value))


def readable_json(value: object) -> bytes:
    """Return what `write_json` writes: sorted, indented, equal for equal values."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode()


@contextmanager
def exclusive(name: str, folder: Path | None = None) -> Iterator[None]:
    """Hold the lock `name` of a folder (the cache's by default) until the process ends, however.

    Raises:
        BusyError: another process holds it.
        StorageError: the folder cannot be written, or its file system has no locks.
    """
    path = (folder or cache_root() / "locks") / f"{name}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a+")
    except OSError as error:
        raise storage_error(error, path.parent) from None
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            raise BusyError(
                f"another run works in {folder or cache_root()}",
                found=f"process {stream.read().strip() or 'unknown'}",
                remedy="wait until it ends, or stop it; nothing is lost either way",
            ) from None
        except OSError as error:
            raise storage_error(error, path) from None
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield


def require_space(folder: Path, needed: int) -> None:
    """Stop before the first byte when a disk cannot hold `needed` bytes.

    Raises:
        StorageError: the folder cannot be written or has too little room.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink(missing_ok=True)  # another thread may have looked at the same moment
    except OSError as error:
        raise storage_error(error, folder) from None
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StorageError(
            f"too little room in {folder}",
            expected=f"{needed / 1e6:.0f} MB free",
            found=f"{free / 1e6:.0f} MB",
            remedy="free some space, or point PEBENCH_CACHE and PEBENCH_RESULTS to another disk",
        )


def storage_error(error: OSError, place: Path | None = None) -> StorageError:
    """Turn an operating-system error about writing into one with a remedy."""
    where = place or error.filename or f"{cache_root()} or {results_root()}"
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return StorageError(
        f"{where}: {'the disk is full' if full else 'cannot be written'}",
        found=error.strerror,
        remedy="free some space and run the same command again; it goes on where it stopped"
        if full
        else "make it writable, or point PEBENCH_CACHE and PEBENCH_RESULTS to a folder that is",
    )
