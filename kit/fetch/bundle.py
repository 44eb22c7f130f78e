"""Carry fetched sources to a machine without network: one plain tar, verified on arrival."""

import io
import os
import shutil
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

from kit.artifacts import cache_root, require_space, storage_error
from kit.digests import CHUNK, format_checksums, read_checksums, verify_files
from kit.errors import ChecksumError, DataError
from kit.fetch.names import require_safe

Say = Callable[[str], None]
Place = tuple[Path, Callable[[], None]]
LIST = "SHA256SUMS"
REMEDY = "export it again, or copy it again"


def export(sources: Mapping[str, tuple[Path, Mapping[str, str]]], target: Path, say: Say) -> None:
    """Write a tar of sources, name -> (folder, list); the bytes depend on the files alone.

    The files must have been verified.

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


def import_(
    archive: Path, place_of: Callable[[str, Mapping[str, str]], Place | None], say: Say
) -> None:
    """Unpack a tar into a scratch folder, verify every byte, then move each source to its place.

    Args:
        place_of: (source name, its carried list) -> where it belongs and what is to be called once
            it is there, or None to leave it out; it changes nothing, and raises where the list is
            not the one that the manifest has.

    Raises:
        DataError: no such file, no tar of ours, or an entry that is not a plain file in its place.
        ChecksumError: bytes differ from the carried list, or that from the manifest's. No source is
            moved then.
    """
    scratch = cache_root() / "scratch" / f"import-{os.getpid()}"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        names = _unpack(archive, scratch)
        lists = {name: _verified(archive, scratch / name) for name in names}
        there = {name: place_of(name, listed) for name, listed in lists.items()}
        for name, found in there.items():
            if found is None:
                say(f"data import: {name}: not a source of this manifest, left out")
                continue
            target, settle = found
            _move(scratch / name / "files", target)
            settle()
            say(f"data import: {name}: {len(lists[name])} files verified")
    except OSError as error:
        raise storage_error(error) from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _verified(archive: Path, unpacked: Path) -> dict[str, str]:
    """Return the carried list of a source whose files are exactly those that it names."""
    folder, listed = unpacked / "files", read_checksums(unpacked / LIST)
    require_safe(listed)
    verify_files(folder, listed, remedy=REMEDY)
    carried = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    if extra := carried - listed.keys():
        raise ChecksumError(f"{archive} has a file that no list names: {min(extra)}", remedy=REMEDY)
    return listed


def _move(folder: Path, target: Path) -> None:
    """Put a verified folder into its place; what was there is gone only then."""
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
        require_space(scratch.parent, archive.stat().st_size)
        with tarfile.open(archive, "r:") as tar:
            entries = tar.getmembers()
            require_safe(entry.name for entry in entries)
            if odd := [
                e.name for e in entries if not e.isreg() or e.issparse() or _is_misplaced(e.name)
            ]:
                raise DataError(
                    f"{archive} has an entry that is no file of a source: {odd[0]!a}",
                    expected=f"<source>/{LIST} and <source>/files/...",
                    remedy=REMEDY,
                )
            for entry in entries:
                _write(tar, entry, scratch / entry.name)
    except FileNotFoundError:
        raise DataError(f"there is no {archive}", remedy="name a file of `data export`") from None
    except tarfile.TarError as error:
        raise DataError(f"{archive} is not a whole tar", found=str(error), remedy=REMEDY) from None
    names = sorted({entry.name.split("/")[0] for entry in entries})
    for name in names:
        if not (scratch / name / LIST).is_file():
            raise DataError(f"{archive} has no list of {name}", remedy=REMEDY)
    return names


def _write(tar: tarfile.TarFile, entry: tarfile.TarInfo, path: Path) -> None:
    """Write a regular file's bytes and nothing else of it: no owner, mode or time.

    The names are safe already. `extractall` would need a filter, which Python has since 3.11.4
    only; Debian 12 has 3.11.2.
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
