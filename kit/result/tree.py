"""The files of a result folder, walked strictly: whatever a signature could not bind is a fault.

Links, devices, empty folders and names that differ between systems are reported, never followed
or skipped. The signer refuses a tree with faults; the verifier lists them with its differences.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from kit.digests import CHUNK
from kit.errors import VerificationError
from kit.names import case_collisions, name_fault, show
from kit.result.kinds import kind_of
from kit.result.layout import SIGNING_FILES
from kit.result.sizes import MAX_FILE_BYTES, most_bytes

MAX_ENTRIES = 20_000
MAX_DEPTH = 16
# Every file is hashed. The adapters of 200 systems of a 7B model have some 30 GB; a sparse file can
# claim petabytes.
MAX_TREE_BYTES = 256 << 30
MAX_MOVED_BYTES = 256 << 20  # an added file is hashed only to say "renamed"
# O_NONBLOCK: a pipe put in place of the file must not make the reader wait. Windows has neither of
# the first two, but translates line ends without the third.
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
READ = os.O_RDONLY | NO_FOLLOW | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
SPARSE_BYTES = 16 << 20  # smaller files are hashed whatever they hold


@dataclass
class Tree:
    """Regular files by relative POSIX path, folders, and {path: why it cannot be signed}."""

    files: dict[str, Path] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    faults: dict[str, str] = field(default_factory=dict)
    size: int = 0  # bytes of all files, as the file system states them


def walk(root: Path) -> Tree:
    """List everything under `root`, following no link below it.

    Raises:
        VerificationError: the folder is missing, unreadable, has more than 20,000 entries, or is
            larger than 256 GiB.
    """
    tree = Tree()
    try:
        _visit(root, "", tree)
    except OSError as error:
        raise VerificationError(
            f"{error.filename or root} cannot be read",
            expected="a folder whose files can be listed",
            found=error.strerror,
            remedy="give the path of a result folder: results/<name>-<digest>",
        ) from error
    entries = [*tree.files, *tree.folders, *tree.faults]
    for first, second in case_collisions(entries):
        tree.faults[second] = f"differs from {show(first)} only by letter case"
    return tree


def _visit(folder: Path, prefix: str, tree: Tree) -> None:
    with os.scandir(folder) as entries:
        children = sorted(entries, key=lambda entry: entry.name)
    if not children:
        tree.faults[prefix.rstrip("/") or "."] = "empty folder"
    for child in children:
        name = prefix + child.name
        if len(tree.files) + len(tree.folders) + len(tree.faults) > MAX_ENTRIES:
            raise VerificationError(
                f"{folder} holds more than {MAX_ENTRIES} entries",
                expected=f"at most {MAX_ENTRIES} files and folders, as a result has",
                found=f"{MAX_ENTRIES + 1} or more",
                remedy="give the path of one result folder: results/<name>-<digest>",
            )
        fault = name_fault(child.name)
        if fault:
            tree.faults[name] = fault
        elif child.is_dir(follow_symlinks=False):
            tree.folders.add(name)
            if name.count("/") >= MAX_DEPTH:
                tree.faults[name] = f"folders nested more than {MAX_DEPTH} deep"
            else:
                _visit(folder / child.name, f"{name}/", tree)
        elif fault := _kind_fault(state := os.lstat(folder / child.name)):
            tree.faults[name] = fault
        else:
            tree.files[name] = folder / child.name
            tree.size += state.st_size
            most = max(MAX_FILE_BYTES, most_bytes(name))
            if state.st_size > most or tree.size > MAX_TREE_BYTES:
                raise VerificationError(
                    f"{show(name)} is too large to be hashed",
                    expected=f"files of at most {most} bytes, {MAX_TREE_BYTES} together",
                    found=f"{state.st_size} bytes, {tree.size} with what is listed before it",
                    remedy="give the path of one result folder: results/<name>-<digest>",
                )


def _kind_fault(state: os.stat_result) -> str:
    if stat.S_ISLNK(state.st_mode):
        return "symbolic link"
    if not stat.S_ISREG(state.st_mode):
        return "neither a file nor a folder (device, socket or pipe)"
    # Another name of the same file, perhaps outside the result, could change it unseen.
    return f"hard link ({state.st_nlink} names for one file)" if state.st_nlink > 1 else ""


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a regular file, refusing to open a link that replaced it.

    Raises:
        VerificationError: it cannot be opened or read.
    """
    hasher = hashlib.sha256()
    with open_regular(path) as stream:
        while chunk := stream.read(CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest()


def read_bytes(path: Path, *, max_bytes: int) -> bytes:
    """Return the content of a regular file of at most `max_bytes`, following no link.

    Raises:
        VerificationError: it cannot be opened or read, or is larger.
    """
    with open_regular(path) as stream:
        # The stated size first: what a sparse file unfolds to is not read to learn it.
        stated = os.fstat(stream.fileno()).st_size
        data = stream.read(max_bytes + 1) if stated <= max_bytes else b""
    if max(stated, len(data)) > max_bytes:
        raise VerificationError(
            f"{show(str(path))} is too large to be read safely",
            expected=f"at most {max_bytes} bytes",
            found=f"{max(stated, len(data))} bytes or more",
            remedy="get the result again",
        )
    return data


@contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file to read it, following no link and waiting for no pipe.

    Raises:
        VerificationError: it cannot be opened or read, or is no regular file.
    """
    try:
        if not NO_FOLLOW and path.is_symlink():
            raise OSError(errno.ELOOP, "a symbolic link", str(path))
        descriptor = os.open(path, READ)
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(mode := os.fstat(descriptor).st_mode):
                raise VerificationError(
                    f"{show(str(path))} is no regular file, but a device, pipe, socket or folder",
                    expected="a regular file",
                    found=kind_of(mode),
                    remedy="get the result again",
                )
            yield stream
    except OSError as error:
        raise VerificationError(
            f"{show(str(path))} cannot be read as a file",
            expected="a file that this user can read, and no link to one",
            found=error.strerror,
            remedy="get the result again, or check the modes of its files",
        ) from error


def _size_fault(path: Path, most: int) -> str:
    """Return why a file is not read: it is too large, or most of it is not on the disk."""
    with open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > most:
            return f"larger than any honest file of this name: {size} bytes, more than {most}"
        if size > SPARSE_BYTES and _stored_bytes(stream.fileno(), size) < size // 2:
            return f"most of its {size} bytes are a hole, as in no honest file"
    return ""


def _stored_bytes(descriptor: int, size: int) -> int:
    """Return how many bytes of an open file are not in holes, at most 1,000 pieces of it."""
    if not hasattr(os, "SEEK_DATA"):
        return size  # Windows does not say
    stored, place = 0, 0
    try:
        for _ in range(1_000):
            start = os.lseek(descriptor, place, os.SEEK_DATA)
            place = os.lseek(descriptor, start, os.SEEK_HOLE)
            stored += place - start
            if place >= size:
                break
    except OSError as error:
        # ENXIO: no more data. Other errors: a file system that knows of no holes.
        return stored if error.errno == errno.ENXIO else size
    return stored


def compare_tree(tree: Tree, subjects: Mapping[str, str]) -> None:
    """Hold a folder against {path: SHA-256}; `tree` is consumed.

    Raises:
        VerificationError: any entry is missing, changed, renamed, added, or not a plain file.
    """
    present = {name: path for name, path in tree.files.items() if name not in SIGNING_FILES}
    changes = dict(tree.faults)
    # Sizes first: nothing is hashed that no honest file of its name could be.
    for name, path in present.items():
        if name in subjects and (fault := _size_fault(path, most_bytes(name))):
            changes[name] = fault
    missing = set(subjects) - set(present) - set(changes)
    for name in sorted(missing & tree.folders):
        changes[name] = "a folder stands where a file was signed"
    added = set(present) - set(subjects) - set(changes)
    # Only to say "renamed" is an added file read at all.
    read = [name for name in sorted(added) if not _size_fault(present[name], MAX_MOVED_BYTES)]
    moved = {sha256_of(present[name]): name for name in read} if missing else {}
    for name in sorted(missing - set(changes)):
        new = moved.get(subjects[name])
        changes[name] = f"renamed to {show(new)}" if new else "missing"
        added.discard(new or "")
    changes |= dict.fromkeys(added, "added after signing")
    for name in sorted(set(subjects) & set(present) - set(changes)):
        if sha256_of(present[name]) != subjects[name]:
            changes[name] = "changed after signing"
    for name in set(changes) & set(subjects) & set(tree.faults):
        changes[name] = f"{changes[name]} stands where a file was signed"
    if named := sorted(changes):
        raise VerificationError(
            f"the folder is not what was signed; differing entries: {len(named)}",
            expected=f"exactly the {len(subjects)} signed files, as they were signed",
            found="\n    ".join(f"{show(name)}: {changes[name]}" for name in named),
            remedy="get the result again; if you changed it yourself, sign it again: ./run.sh sign",
        )
