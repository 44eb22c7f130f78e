"""Cache and results: writable by this user, large enough, and kept after a container ends."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from kit.artifacts import cache_root, require_space, results_root
from kit.doctor.check import Check
from kit.doctor.readings import Readings
from kit.doctor.resources import Resources
from kit.errors import KitError, StorageError

CODE = StorageError.exit_code
MAX_RESULT_BYTES = 1_000_000_000


def examine_places(found: Readings, needed: Resources) -> Iterator[Check]:
    """Yield one check for each of the two folders."""
    for name, folder, space in (
        ("cache", cache_root(), needed.disk),
        ("results", results_root(), min(needed.disk, MAX_RESULT_BYTES)),
    ):
        yield _place(name, folder, space, found)


def _place(name: str, folder: Path, space: int, found: Readings) -> Check:
    mount = found.mounts.get(str(folder))
    option = f"-v /a/folder/of/yours:{folder}"
    if mount is not None and mount.read_only:
        return Check(name, f"{folder} is mounted read-only", True, f"mount it as {option}", CODE)
    try:
        require_space(folder, space)
    except KitError as error:
        return Check(name, error.what, True, _remedy(folder, error, found), error.exit_code)
    free = f"writable, {shutil.disk_usage(folder).free / 1e9:.0f} GB free"
    if found.in_image and (mount is None or mount.anonymous):
        # A cache can be made again; a result cannot.
        lost = "not mounted: it will be deleted with the container"
        remedy = f"mount a folder: {option}"
        return Check(name, f"{free}, {lost}", name == "results", remedy, CODE)
    return Check(name, free)


def _remedy(folder: Path, error: KitError, found: Readings) -> str:
    try:
        owner = os.stat(folder).st_uid
    except OSError:
        return error.remedy or ""
    if "too little" in error.what or owner == found.user:
        return error.remedy or ""
    if found.in_image:
        return (
            f"it belongs to user {owner}: start the container with --user {owner}, or give the "
            f"folder to user {found.user}"
        )
    return (
        f"it belongs to user {owner} and you are {found.user}: sudo chown -R {found.user} {folder}"
    )
