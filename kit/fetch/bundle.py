"""Carry fetched sources to a machine without network: one plain tar, verified on arrival."""

import io
import os
import shutil
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kit.artifacts import cache_root, storage_error
from kit.digests import format_checksums, read_checksums, verify_files
from kit.errors import ChecksumError, DataError
from kit.fetch.names import require_safe
from kit.fetch.unpacking import LIST, REMEDY, unpack
from kit.names import listed as listed_names
from kit.names import show

Say = Callable[[str], None]


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
        names = unpack(archive, scratch)
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
        raise ChecksumError(
            f"{archive} has a file that no list names: {min(extra)}",
            expected=f"the {len(listed)} files of {unpacked.name}/{LIST}",
            found=f"{len(unpacked_files)} files",
            remedy=REMEDY,
        )
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
