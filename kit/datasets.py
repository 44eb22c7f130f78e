"""Bring a manifest's dataset to its folder and prove that every byte is the listed one."""

import os
import shutil
from pathlib import Path

from kit.artifacts import cache_root, project_path, require_space, write_bytes
from kit.digests import format_checksums, read_checksums, sha256_file, verify_files
from kit.errors import ChecksumError, DataError, MissingStageError, ModelError
from kit.job_digests import list_digest
from kit.manifest import Manifest

EMBEDDED_BYTES = 60_000_000
REMEDY = "run `./run.sh fetch`: it restores what differs or says where to get it"


def data_folder(manifest: Manifest) -> Path:
    """Return where the dataset lies once it is fetched; the digest is that of its list."""
    if manifest.benchmark.source == "folder" and manifest.benchmark.folder:
        return project_path(manifest.benchmark.folder)
    listed = list_digest(manifest.benchmark.checksums)
    return cache_root() / "data" / f"{Path(manifest.benchmark.checksums).stem}-{listed[:16]}"


def fetch(manifest: Manifest) -> tuple[int, bool]:
    """Make sure that data and base weights are there and right; return (files, drawn anew).

    Raises:
        ChecksumError, DataError, ModelError: bytes differ or are missing and cannot be restored.
    """
    verify_base(manifest)
    listed = read_checksums(project_path(manifest.benchmark.checksums))
    folder = data_folder(manifest)
    if manifest.benchmark.source == "folder":
        verify_files(folder, listed, remedy=f"put the dataset into {folder}")
        return len(listed), False
    if folder.is_dir() and _is_whole(folder, listed):
        return len(listed), False
    _draw(folder, listed)
    return len(listed), True


def require(manifest: Manifest) -> None:
    """Prove, before a stage uses them, that data and base weights are there and right.

    Raises:
        MissingStageError: the data has not been fetched.
        ChecksumError, DataError, ModelError: bytes differ or are missing.
    """
    verify_base(manifest)
    folder = data_folder(manifest)
    if not folder.is_dir():
        raise MissingStageError("the data is not there", expected=str(folder), remedy=REMEDY)
    verify_files(folder, read_checksums(project_path(manifest.benchmark.checksums)), remedy=REMEDY)


def _is_whole(folder: Path, listed: dict[str, str]) -> bool:
    return all(
        (folder / name).is_file() and sha256_file(folder / name) == digest
        for name, digest in listed.items()
    )


def _draw(folder: Path, listed: dict[str, str]) -> None:
    from kit.smoke.world import write_world

    require_space(folder.parent, EMBEDDED_BYTES)
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    write_world(partial)
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


def verify_base(manifest: Manifest) -> None:
    """Check the base model's files against their list."""
    folder = project_path(manifest.model.path)
    if not folder.is_dir():
        raise ModelError(
            f"no base model in {manifest.model.path}",
            remedy="restore it from the repository, or rebuild it: ./run.sh smoke-base",
        )
    listed = read_checksums(project_path(manifest.model.checksums))
    if "model.safetensors" not in listed and not any("safetensors" in name for name in listed):
        raise ModelError(f"{manifest.model.checksums} lists no weights")
    try:
        verify_files(
            folder, listed, remedy="restore the file from the repository; nothing was started"
        )
    except DataError as error:
        raise ModelError(error.what, expected=error.expected, remedy=error.remedy) from None


def list_embedded(manifest: Manifest) -> Path:
    """Draw the embedded dataset into a scratch folder and write its checksum list."""
    from kit.smoke.world import write_world

    target = project_path(manifest.benchmark.checksums)
    scratch = target.with_suffix(".partial")
    shutil.rmtree(scratch, ignore_errors=True)
    write_world(scratch)
    listed = {
        path.relative_to(scratch).as_posix(): sha256_file(path)
        for path in scratch.rglob("*")
        if path.is_file()
    }
    shutil.rmtree(scratch)
    write_bytes(target, format_checksums(listed).encode())
    return target
