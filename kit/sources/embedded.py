"""The datasets that the kit draws itself: made when they are missing, held against their lists."""

import os
import shutil
from pathlib import Path

from kit.artifacts import project_path, require_space, write_bytes
from kit.digests import format_checksums, hash_files, verify_files
from kit.errors import ChecksumError, DataError
from kit.experiment.manifest import SourceSection

EMBEDDED_BYTES = 100_000_000


def draw(source: SourceSection, folder: Path, listed: dict[str, str]) -> bool:
    """Draw a dataset unless it is there, whole and right; return whether it was drawn.

    Raises:
        ChecksumError, DataError: what is drawn here is not what the list says.
        StorageError: there is no room.
    """
    if folder.is_dir() and _is_whole(folder, listed):
        return False
    _draw(source, folder, listed)
    return True


def _is_whole(folder: Path, listed: dict[str, str]) -> bool:
    there = [name for name in listed if (folder / name).is_file()]
    return hash_files(folder, there) == listed


def _draw(source: SourceSection, folder: Path, listed: dict[str, str]) -> None:
    from kit.smoke.world import write_world

    require_space(folder.parent, EMBEDDED_BYTES)
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    write_world(partial, str(source.embedded))
    try:
        verify_files(
            partial,
            listed,
            remedy="restore the list from the repository, and use the locked environment "
            "(./run.sh doctor): another Pillow draws other bytes",
        )
    except (ChecksumError, DataError):
        shutil.rmtree(partial)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(partial, folder)


def list_embedded(source: SourceSection) -> Path:
    """Draw an embedded dataset into a scratch folder and write its checksum list."""
    from kit.smoke.world import write_world

    target = project_path(source.checksums)
    scratch = target.with_suffix(".partial")
    shutil.rmtree(scratch, ignore_errors=True)
    write_world(scratch, str(source.embedded))
    files = [p.relative_to(scratch).as_posix() for p in scratch.rglob("*") if p.is_file()]
    listed = hash_files(scratch, files)
    shutil.rmtree(scratch)
    write_bytes(target, format_checksums(listed).encode())
    return target
