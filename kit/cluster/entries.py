"""What one name stands for in an object store: its files, with the size and digest of each.

An entry is named by where it lies in the cache (`artifacts/finetune-vanilla-...`, `data/...`), and
known by the digest of its bytes. It is written once. Bytes of files are objects of their own, named
by their SHA-256, so they can be checked wherever they are read.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from kit.digests import canonical_json, hash_files, sha256_bytes
from kit.errors import ChecksumError

ALONE = ""  # the path of an entry that is a single file


@dataclass(frozen=True)
class Entry:
    """The files of an artifact or of a source."""

    name: str
    files: Mapping[str, tuple[int, str]]
    """{path below the name: (bytes, SHA-256)}; the path "" is the name itself, a single file."""

    @cached_property
    def encoded(self) -> bytes:
        """The entry as JSON; equal entries have equal bytes."""
        return canonical_json({"name": self.name, "files": self.files})

    @cached_property
    def digest(self) -> str:
        """The digest of the entry, and so of every byte of its files."""
        return sha256_bytes(self.encoded)

    @property
    def key(self) -> str:
        """The key of its object."""
        return key_of(self.name)

    def without(self, path: str) -> dict[str, tuple[int, str]]:
        """Return its files but one."""
        return {each: facts for each, facts in self.files.items() if each != path}


def key_of(name: str) -> str:
    """Return the key of an entry's object."""
    return f"entries/{name}.json"


def blob_of(digest: str) -> str:
    """Return the key of the object that holds a file's bytes."""
    return f"bytes/{digest[:2]}/{digest}"


def described(root: Path, name: str) -> Entry:
    """Return the entry of a file or folder below a cache; every file is hashed.

    Raises:
        OSError: it cannot be read.
    """
    place = root / name
    names = sorted(files_below(place))
    digests = hash_files(place, names)
    return Entry(name, {n: ((place / n).stat().st_size, digests[n]) for n in names})


def files_below(place: Path) -> list[str]:
    """Return the files below a folder, links followed; [""] for a single file."""
    if place.is_file():
        return [ALONE]
    return [path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()]


def decoded(data: bytes, name: str, address: str, digest: str | None = None) -> Entry:
    """Return the entry that an object holds.

    Args:
        name: that it should have.
        address: of the object, for messages.
        digest: of the entry, where it is known.

    Raises:
        ChecksumError: the object is cut off, or is another one.
    """
    try:
        values = json.loads(data)
        files = {str(path): (int(n), str(sha)) for path, (n, sha) in values["files"].items()}
        entry = Entry(str(values["name"]), files)
    except (ValueError, KeyError, TypeError, AttributeError):
        entry = None
    if (
        entry is None
        or entry.name != name
        or entry.encoded != data
        or digest not in (None, entry.digest)
        or not all(map(_stays_below, entry.files))
    ):
        raise damaged(
            address,
            [address],
            expected=f"the list of the files of {name}"
            + (f", SHA-256 {digest}" if digest is not None else ""),
            found=f"{len(data)} bytes, SHA-256 {sha256_bytes(data)}",
        )
    return entry


def damaged(address: str, objects: list[str], *, expected: str, found: str | None) -> ChecksumError:
    """Return the error for an object that is not what it should be.

    Args:
        address: of the object.
        objects: addresses of what is to be removed, so that it is written again.
        found: None where there is no object.
    """
    wrong = "is missing" if found is None else "is damaged, and was not used"
    return ChecksumError(
        f"{address} {wrong}",
        expected=expected,
        found=found or "no such object",
        remedy=f"delete {' and '.join(objects)}, then run the same command again: what they held "
        "is written again by a machine that has it, or made again",
    )


def _stays_below(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return not path.startswith("/") and ".." not in parts and "\\" not in path
