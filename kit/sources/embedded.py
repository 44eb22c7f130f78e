"""The datasets that the kit draws itself: drawn when missing, and checked against their lists."""

import os
import shutil
from pathlib import Path

from kit.artifacts import project_path, require_space, restored
from kit.digests import hash_files, verify_files
from kit.errors import ChecksumError, DataError
from kit.experiment.manifest import SourceSection

EMBEDDED_BYTES = 100_000_000


def draw(source: SourceSection, folder: Path, listed: dict[str, str]) -> bool:
    """Draw a dataset unless it exists with its listed digests; return whether it was drawn.

    Raises:
        ChecksumError, DataError: the files drawn on this machine are not the listed ones.
        StorageError: the disk is too small.
    """
    if folder.is_dir() and _is_whole(folder, listed):
        return False
    _draw(source, folder, listed)
    return True


def _is_whole(folder: Path, listed: dict[str, str]) -> bool:
    present = [name for name in listed if (folder / name).is_file()]
    return hash_files(folder, present) == listed


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
            remedy=f"{restored(project_path(source.checksums))}, and use the locked environment "
            "(./run.sh doctor): another Pillow draws other bytes",
        )
    except (ChecksumError, DataError):
        shutil.rmtree(partial)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(partial, folder)
