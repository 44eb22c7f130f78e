"""A cache of its own for each interpreter on a node, inside the cache that all nodes share.

Two attempts at one piece of work may run at the same time: the first one's node was cut off, and
comes back. So no attempt writes where another does. What an attempt has finished is published into
the shared cache under the name of its digest, and the first to publish wins.
"""

import errno
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

SHARED = ("data", "vllm")  # verified files, and what vLLM has found out about architectures
FOLDER = "scratch/ray"  # of the shared cache: one folder for each interpreter
JOB = "job.json"  # of a complete artifact


class PrivateCache:
    """The cache of one interpreter.

    Args:
        shared: the cache that all nodes share.
        token: names the interpreter; no other one has had it.
    """

    def __init__(self, shared: Path, token: str) -> None:
        self.shared, self.folder = shared.resolve(), folder_of(shared, token)
        self._artifacts = self.folder / "artifacts"
        self._published: set[str] = set()
        self.made: set[str] = set()
        """Names of what this interpreter has made and published."""

    def open(self) -> None:
        """Make the folder: with the data, and everything that is finished already.

        Raises:
            OSError: the shared folder cannot be written at the moment; call it again.
        """
        self._artifacts.mkdir(parents=True, exist_ok=True)
        for name in SHARED:
            (self.shared / name).mkdir(exist_ok=True)
            with suppress(FileExistsError):
                (self.folder / name).symlink_to(self.shared / name)
        self.refresh()

    def refresh(self) -> None:
        """Show what has been published since: artifacts as links, single files as copies."""
        for path in (self.shared / "artifacts").iterdir():
            here = self._artifacts / path.name
            if here.exists() or path.name.startswith("."):
                continue
            if (path / JOB).is_file():
                here.symlink_to(path)
                self._published.add(path.name)
            elif path.is_file():
                part = self._artifacts / f".{path.name}"  # the folder may be full in between
                shutil.copyfile(path, part)
                os.replace(part, here)
                self._published.add(path.name)

    def adopt(self, digests: Sequence[str]) -> None:
        """Copy the newest checkpoint of each artifact that an earlier attempt has begun."""
        for digest in digests:
            begun = f"*-{digest[:16]}.partial/checkpoint"
            found = [*self.folder.parent.glob(f"*/artifacts/{begun}")]
            found += (self.shared / "artifacts").glob(begun)  # of a run without a cluster
            newest = max(found, key=_changed, default=None)
            if newest is None or (self._artifacts / newest.parent.name).exists():
                continue
            # A checkpoint is replaced as a whole, so a copy is one, even if its writer lives.
            with suppress(OSError):
                target = self._artifacts / newest.parent.name
                shutil.copytree(newest.parent, target, ignore=shutil.ignore_patterns(".*"))

    def publish(self) -> None:
        """Publish every artifact that is complete here and not there.

        Raises:
            OSError: the shared folder cannot be written at the moment; call it again.
        """
        for path in self._own():
            if (path / JOB).is_file():
                _publish_folder(path, self.shared / "artifacts")
                self._published.add(path.name)
                self.made.add(path.name)

    def publish_files(self) -> None:
        """Publish the single files that this interpreter made; call it when nothing writes them.

        Raises:
            OSError: as `publish`.
        """
        for path in self._own():
            if path.is_file():
                _publish_file(path, self.shared / "artifacts", self.folder.name)
                self._published.add(path.name)
                self.made.add(path.name)

    def _own(self) -> list[Path]:
        paths = self._artifacts.iterdir()
        return [p for p in paths if p.name not in self._published and p.name[0] != "."]

    def close(self) -> None:
        """Remove the folder; what was published stays."""
        shutil.rmtree(self.folder, ignore_errors=True)


def folder_of(shared: Path, token: str) -> Path:
    """Return the folder of an interpreter's cache."""
    return shared.resolve() / FOLDER / token


def _publish_folder(source: Path, target: Path) -> None:
    """Give a complete folder its final name, unless another attempt was first."""
    final = target / source.name
    built = target / f".{source.name}.{source.parent.parent.name}"
    shutil.rmtree(built, ignore_errors=True)
    shutil.copytree(source, built, copy_function=_link)
    try:
        os.rename(built, final)  # of a folder onto one that is not empty: refused, atomically
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        shutil.rmtree(built)


def _publish_file(source: Path, target: Path, token: str) -> None:
    built = target / f".{source.name}.{token}"
    shutil.copyfile(source, built)
    try:
        with suppress(FileExistsError):  # another attempt was first
            os.link(built, target / source.name)
    finally:
        built.unlink(missing_ok=True)


def _link(source: str, target: str) -> None:
    """Give a finished file a second name; copy it where the file system has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
