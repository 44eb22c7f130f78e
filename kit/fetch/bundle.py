"""Carry fetched sources to a machine without network: one plain tar, verified on arrival."""

import io
import os
import shutil
import stat
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kit.artifacts import cache_root, require_space, storage_error
from kit.digests import CHUNK, format_checksums, read_checksums, verify_files
from kit.errors import ChecksumError, DataError
from kit.fetch.names import require_safe
from kit.names import listed as listed_names
from kit.names import show

Say = Callable[[str], None]
LIST = "SHA256SUMS"
REMEDY = "export it again, or copy it again"
MAX_ENTRIES = 50_000  # PEBench has 8,000 images; each file takes an inode of the cache
MAX_DEPTH = 16  # folders


@dataclass(frozen=True)
class ImportTarget:
    """Where an imported source belongs; `adopt`, if any, is called once its files are there."""

    folder: Path
    adopt: Callable[[], None] | None = None


TargetOf = Callable[[str, Mapping[str, str]], ImportTarget | None]


def export(sources: Mapping[str, tuple[Path, Mapping[str, str]]], target: Path, say: Say) -> None:
    """Write a tar of verified sources; equal files give equal bytes.

    Args:
        sources: source name -> (folder, checksum list as {path: SHA-256}).

    Raises:
        StorageError: the target cannot be written.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with tarfile.open(partial, "w", format=tarfile.PAX_FORMAT) as archive:
            for name, (folder, listed) in sorted(sources.items()):
                _add(archive, f"{name}/{LIST}", format_checksums(listed).encode())
                for file in sorted(listed):
                    entry = tarfile.TarInfo(f"{name}/files/{file}")
                    entry.size = (folder / file).stat().st_size
                    with (folder / file).open("rb") as stream:
                        archive.addfile(entry, stream)
                say(f"data export: {name}: {len(listed)} files")
        with partial.open("rb") as stream:
            os.fsync(stream.fileno())
        os.replace(partial, target)
    except OSError as error:
        raise storage_error(error, target) from None
    finally:
        partial.unlink(missing_ok=True)


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


def import_(archive: Path, target_of: TargetOf, say: Say) -> None:
    """Unpack a tar into a scratch folder, verify every byte, then move each source to its folder.

    Args:
        target_of: (source name, checksum list in the tar) -> where the source belongs, or None to
            leave it out. It has no side effects, and raises where the list is not the manifest's.

    Raises:
        DataError: the file does not exist, is a device or a pipe, was not written by `export`, has
            too many entries or one that is not a regular file of a source, or has no source of
            the manifest.
        ChecksumError: bytes differ from the tar's list, or that list from the manifest's. No source
            is moved then.
    """
    scratch = cache_root() / "scratch" / f"import-{os.getpid()}"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        names = _unpack(archive, scratch)
        lists = {name: _verify(archive, scratch / name) for name in names}
        targets = {name: target_of(name, listed) for name, listed in lists.items()}
        if not any(targets.values()):
            raise DataError(
                f"{archive} has nothing that this manifest needs",
                expected="at least one source that the manifest downloads",
                found=listed_names(sorted(map(show, names))),
                remedy="export with the same manifest on the other machine",
            )
        for name, target in targets.items():
            if target is None:
                say(f"data import: {name}: not a source of this manifest, left out")
                continue
            _move(scratch / name / "files", target.folder)
            if target.adopt:
                target.adopt()
            say(f"data import: {name}: {len(lists[name])} files verified")
    except OSError as error:
        raise storage_error(error) from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _verify(archive: Path, unpacked: Path) -> dict[str, str]:
    """Return the checksum list of an unpacked source; its files must be exactly those listed."""
    folder, listed = unpacked / "files", read_checksums(unpacked / LIST)
    require_safe(listed)
    verify_files(folder, listed, remedy=REMEDY)
    unpacked_files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    if extra := unpacked_files - listed.keys():
        raise ChecksumError(f"{archive} has a file that no list names: {min(extra)}", remedy=REMEDY)
    return listed


def _move(folder: Path, target: Path) -> None:
    """Replace `target` by a verified folder; the old one is deleted last."""
    target.parent.mkdir(parents=True, exist_ok=True)
    old = target.with_name(f"{target.name}.old")
    if target.exists():
        shutil.rmtree(old, ignore_errors=True)
        os.replace(target, old)
    os.replace(folder, target)
    shutil.rmtree(old, ignore_errors=True)


def _unpack(archive: Path, scratch: Path) -> list[str]:
    """Write the entries under `scratch` and return the names of the sources."""
    try:
        size = _archive_size(archive)
        require_space(scratch.parent, size)
        with tarfile.open(archive, "r:") as tar:
            entries = _entries(archive, tar, size)
            require_safe(entry.name for entry in entries)
            if odd := [
                e.name for e in entries if not e.isreg() or e.issparse() or _is_misplaced(e.name)
            ]:
                raise DataError(
                    f"{archive} has an entry that is not a file of a source: {odd[0]!a}",
                    expected=f"<source>/{LIST} and <source>/files/...",
                    remedy=REMEDY,
                )
            for entry in entries:
                _write(tar, entry, scratch / entry.name)
    except FileNotFoundError:
        raise DataError(
            f"{archive} does not exist", remedy="give a file that `./run.sh data export` wrote"
        ) from None
    except tarfile.TarError as error:
        raise DataError(
            f"{archive} is not a complete tar", found=str(error), remedy=REMEDY
        ) from None
    except (ValueError, OverflowError) as error:
        # tarfile takes numbers of an extended header as they stand.
        raise DataError(
            f"{archive} is not a tar that the kit wrote",
            found=show(str(error)[:200]),
            remedy=REMEDY,
        ) from None
    names = sorted({entry.name.split("/")[0] for entry in entries})
    for name in names:
        if not (scratch / name / LIST).is_file():
            raise DataError(f"{archive} has no checksum list for {name}", remedy=REMEDY)
    return names


def _archive_size(archive: Path) -> int:
    """Return the bytes of an archive; a device or a pipe is refused before it is opened."""
    state = archive.stat()
    if not stat.S_ISREG(state.st_mode):
        raise DataError(
            f"{archive} is no regular file, but a folder, device, pipe or socket",
            remedy="give a file that `./run.sh data export` wrote",
        )
    return state.st_size


def _entries(archive: Path, tar: tarfile.TarFile, size: int) -> list[tarfile.TarInfo]:
    """Return the entries of a tar; what they state is bounded before one is written."""
    entries: list[tarfile.TarInfo] = []
    stated = 0
    for entry in tar:
        entries.append(entry)
        stated += entry.size
        fault = ""
        if len(entries) > MAX_ENTRIES:
            fault = f"more than {MAX_ENTRIES} entries"
        elif not 0 <= entry.size <= size or stated > size:
            fault = f"{show(entry.name)[:200]} states {entry.size} bytes, in a tar of {size}"
        elif entry.name.count("/") > MAX_DEPTH:
            fault = f"{show(entry.name)[:100]} is more than {MAX_DEPTH} folders deep"
        if fault:
            raise DataError(f"{archive} cannot be imported: {fault}", remedy=REMEDY)
    if not entries:
        raise DataError(
            f"{archive} has no entries",
            expected=f"<source>/{LIST} and <source>/files/...",
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


def _is_misplaced(name: str) -> bool:
    parts = name.split("/")
    return not (len(parts) == 2 and parts[1] == LIST) and not (
        len(parts) > 2 and parts[1] == "files"
    )
