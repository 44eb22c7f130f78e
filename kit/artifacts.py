"""Folders on disk, and atomic writes into them.

An artifact is a folder whose name contains the digest of everything that decides its content. It is
built beside its final place and then renamed, so an existing artifact is complete and is never made
again.
"""

import errno
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from kit.apart import building_place, is_apart
from kit.errors import BusyError, MissingStageError, StorageError
from kit.names import printable, show
from kit.state_files import read_job

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

PROJECT = Path(__file__).resolve().parent.parent


def restored(path: Path) -> str:
    """Return how to bring a file back: the command for one of the project, or where it is from."""
    command = ["git", "-C", str(PROJECT)]
    try:
        asked = [*command, "ls-files", "--error-unmatch", "--", str(path)]
        tracked = subprocess.run(asked, capture_output=True, check=False).returncode == 0
    except OSError:  # no git
        tracked = False
    if tracked:
        return f"run `{shlex.join([*command, 'checkout', '--', str(path)])}`"
    if path.is_relative_to(PROJECT) and not (PROJECT / ".git").exists():
        return "unpack the kit again and copy it from there; if it is your own, copy yours"
    return "it is a file of your own: copy it from where it came from"


def cache_root() -> Path:
    """Return the folder of everything that can be made again (`PEBENCH_CACHE`)."""
    return _folder("PEBENCH_CACHE", PROJECT / ".cache")


def results_root() -> Path:
    """Return the folder of results (`PEBENCH_RESULTS`)."""
    return _folder("PEBENCH_RESULTS", PROJECT / "results")


def _folder(variable: str, default: Path) -> Path:
    """Return the folder that a variable of the environment names; `~/` is the home folder.

    A shell does not replace a `~` in quotes. It would be a folder of that name, and some libraries
    would write into the home folder all the same.
    """
    named = Path(os.environ.get(variable) or default)
    return Path(os.path.expanduser(named)) if named.parts[:1] == ("~",) else named


def project_path(name: str) -> Path:
    """Resolve a path of a manifest; a relative one starts at the project's root."""
    return PROJECT / name


@dataclass(frozen=True)
class Artifact:
    """A content-addressed folder of the cache."""

    stage: str
    name: str
    digest: str

    @property
    def path(self) -> Path:
        """The folder of the finished artifact."""
        return cache_root() / "artifacts" / f"{self.stage}-{self.name}-{self.digest[:16]}"

    @property
    def partial(self) -> Path:
        """The folder where it is built; a killed run's files in it are resumed or replaced."""
        return building_place(self.path.parent) / f"{self.path.name}.partial"

    def adopt(self, name: str) -> None:
        """Copy a file of a killed run to where this process builds, if that is another folder."""
        there = self.path.parent / self.partial.name / name
        if is_apart() and there.is_file():
            self.partial.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(there, self.partial / name)

    @property
    def done(self) -> bool:
        """Whether the artifact is complete."""
        return (self.path / "job.json").is_file()

    def publish(self, job: Mapping[str, object]) -> None:
        """Write `job.json` and move the built folder to its final place."""
        if is_apart():
            shutil.rmtree(self.partial, ignore_errors=True)
            return
        write_json(self.partial / "job.json", {**job, "digest": self.digest, "name": self.name})
        if self.path.exists():
            shutil.rmtree(self.path)
        os.replace(self.partial, self.path)

    def job(self) -> dict[str, Any]:
        """Return what `publish` recorded.

        Raises:
            MissingStageError: the artifact has not been made.
            StorageError: its `job.json` is damaged (`kit.state_files.read_job`).
        """
        if not self.done:
            raise MissingStageError(
                f"{self.name} does not exist yet",
                expected=f"the finished folder {self.path}",
                found="a folder without job.json" if self.path.is_dir() else "no such folder",
                remedy=f"run `./run.sh {self.stage}` first",
            )
        return read_job(self.path, self.digest)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically: a reader sees all of the old bytes or all of the new ones."""
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
    """Return what `write_json` writes: sorted and indented, so equal values give equal bytes."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    # Escapes for what a terminal would act on: the same value, and safe to look at.
    return (printable(text) + "\n").encode()


@contextmanager
def exclusive(name: str, folder: Path | None = None) -> Iterator[None]:
    """Hold the lock `name` of a folder (default: of the cache).

    The system releases it when the process ends, also when it is killed.

    Raises:
        BusyError: another process holds it.
        StorageError: the folder cannot be written, or its file system has no locks.
    """
    path = (folder or cache_root() / "locks") / f"{name}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a+", encoding="utf-8", errors="replace")
    except OSError as error:
        raise storage_error(error, path.parent) from None
    with stream:
        try:
            _lock(stream)
        except (BlockingIOError, PermissionError):
            stream.seek(0)
            raise BusyError(
                f"another run is using {folder or cache_root()}",
                expected="one run at a time",
                found=f"process {show(stream.read(20).strip()) or 'unknown'}",
                remedy="wait until it ends, or stop it; finished work is kept either way",
            ) from None
        except OSError as error:
            raise storage_error(error, path) from None
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield


def _lock(stream: TextIO) -> None:
    if sys.platform == "win32":
        # Of a byte behind all that is written, so that others can still read who holds it.
        stream.seek(1 << 20)
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        stream.seek(0)
    else:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def require_space(folder: Path, needed: int) -> None:
    """Check before the first write that a folder can hold `needed` more bytes.

    Raises:
        StorageError: the folder cannot be written, or its disk has too little free space.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink(missing_ok=True)  # another thread may use the same name
    except OSError as error:
        raise storage_error(error, folder) from None
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StorageError(
            f"not enough space in {folder}",
            expected=f"{needed / 1e6:.0f} MB free",
            found=f"{free / 1e6:.0f} MB free",
            remedy="free some space, or point PEBENCH_CACHE and PEBENCH_RESULTS to another disk",
        )


def storage_error(error: OSError, path: Path | None = None) -> StorageError:
    """Return the kit's error, with a remedy, for an operating system's error about writing."""
    roots = (cache_root(), results_root())
    what, expected = "cannot be written", "a place that you may write"
    where = path
    if where is None and isinstance(error.filename, str):
        where = Path(error.filename)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        what, expected = "the disk is full", "free space on it"
        remedy = "free some space and run the same command again; it resumes where it stopped"
    elif where is None or any(where == root or root in where.parents for root in roots):
        remedy = "make it writable, or point PEBENCH_CACHE and PEBENCH_RESULTS to writable folders"
    else:
        remedy = "create its folder and make it writable, or name another path"
    shown = where or " or ".join(map(str, roots))
    return StorageError(
        f"{shown}: {what}", expected=expected, found=error.strerror or str(error), remedy=remedy
    )
