"""Unpack a tar of sources that came from elsewhere: its entries are not trusted."""

import shutil
import stat
import tarfile
from pathlib import Path

from kit.artifacts import require_space
from kit.digests import CHUNK
from kit.errors import DataError
from kit.fetch.names import require_safe
from kit.names import show

LIST = "SHA256SUMS"
REMEDY = "export it again, or copy it again"
CONTENT = f"<source>/{LIST} and <source>/files/..."
WHOLE = "a whole tar that `./run.sh data export` wrote"
GIVE = "give a file that `./run.sh data export` wrote"
KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.DIRTYPE: "a folder",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
}
MAX_ENTRIES = 50_000  # PEBench has 8,000 images; each file takes an inode of the cache
MAX_DEPTH = 16  # folders


def unpack(archive: Path, scratch: Path) -> list[str]:
    """Write the entries under `scratch` and return the names of the sources.

    Raises:
        DataError: the file does not exist, is a device or a pipe, is no whole tar, or has too many
            entries or one that is not a regular file of a source.
        StorageError: the disk is too small.
    """
    try:
        size = _archive_size(archive)
        require_space(scratch.parent, size)
        with tarfile.open(archive, "r:") as tar:
            entries = _entries(archive, tar, size)
            require_safe(entry.name for entry in entries)
            for entry in entries:
                if fault := _fault(entry):
                    raise DataError(
                        f"{archive} has an entry that is not a file of a source: {entry.name!a}",
                        expected=CONTENT,
                        found=fault,
                        remedy=REMEDY,
                    )
            for entry in entries:
                _write(tar, entry, scratch / entry.name)
    except FileNotFoundError:
        raise DataError(
            f"{archive} does not exist", expected=WHOLE, found="no such file", remedy=GIVE
        ) from None
    except tarfile.TarError as error:
        raise DataError(
            f"{archive} is not a complete tar", expected=WHOLE, found=str(error), remedy=REMEDY
        ) from None
    except (ValueError, OverflowError) as error:
        # tarfile takes numbers of an extended header as they stand.
        raise DataError(
            f"{archive} is not a tar that the kit wrote",
            expected=WHOLE,
            found=show(str(error)[:200]),
            remedy=REMEDY,
        ) from None
    names = sorted({entry.name.split("/")[0] for entry in entries})
    for name in names:
        if not (scratch / name / LIST).is_file():
            raise DataError(
                f"{archive} has no checksum list for {name}",
                expected=f"{name}/{LIST}",
                found=f"only entries in {name}/files",
                remedy=REMEDY,
            )
    return names


def _archive_size(archive: Path) -> int:
    """Return the bytes of an archive; a device or a pipe is refused before it is opened."""
    state = archive.stat()
    if not stat.S_ISREG(state.st_mode):
        raise DataError(
            f"{archive} is no regular file",
            expected=WHOLE,
            found="a folder" if stat.S_ISDIR(state.st_mode) else "a device, a pipe or a socket",
            remedy=GIVE,
        )
    return state.st_size


def _entries(archive: Path, tar: tarfile.TarFile, size: int) -> list[tarfile.TarInfo]:
    """Return the entries of a tar; what they state is bounded before one is written."""
    entries: list[tarfile.TarInfo] = []
    stated = 0
    for entry in tar:
        entries.append(entry)
        stated += entry.size
        fault, allowed = "", ""
        if len(entries) > MAX_ENTRIES:
            fault, allowed = f"more than {MAX_ENTRIES} entries", f"at most {MAX_ENTRIES} entries"
        elif not 0 <= entry.size <= size or stated > size:
            fault = f"{show(entry.name)[:200]} states {entry.size} bytes"
            allowed = f"at most the {size} bytes of the tar, in all entries together"
        elif (depth := entry.name.count("/")) > MAX_DEPTH:
            fault = f"{show(entry.name)[:100]}, {depth} folders deep"
            allowed = f"entries at most {MAX_DEPTH} folders deep"
        if fault:
            raise DataError(
                f"{archive} cannot be imported", expected=allowed, found=fault, remedy=REMEDY
            )
    if not entries:
        raise DataError(
            f"{archive} has no entries",
            expected=CONTENT,
            found=f"{size} bytes without an entry",
            remedy=REMEDY,
        )
    return entries


def _write(tar: tarfile.TarFile, entry: tarfile.TarInfo, path: Path) -> None:
    """Write only the bytes of a regular file: no owner, mode or time.

    The names were checked before. `extractall` would need a filter, which came with Python 3.11.4;
    Debian 12 has 3.11.2.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(entry)
    assert source is not None  # `entry` is a regular file
    with source, path.open("wb") as target:
        shutil.copyfileobj(source, target, CHUNK)


def _fault(entry: tarfile.TarInfo) -> str:
    """Return why an entry is no file of a source, or ""."""
    if not entry.isreg():
        return KINDS.get(entry.type, "an entry of another kind")
    if entry.issparse():
        return "a file with holes"
    parts = entry.name.split("/")
    right = parts[1:] == [LIST] or (len(parts) > 2 and parts[1] == "files")
    return "" if right else "a file in another place"
