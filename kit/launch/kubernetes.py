"""A Job for kubectl: the image by digest, without a right, on a volume that stays."""

from pathlib import PurePosixPath
from typing import Any

from kit import errors
from kit.errors import KitError, ManifestError
from kit.launch.images import require_image, require_licences
from kit.launch.job import GIBIBYTE, MEBIBYTE, Job, in_units

IN_IMAGE = PurePosixPath("/opt/pebench")
# What a later try may find otherwise: the disk, another run in the same claim, hosts.
WORTH_ANOTHER_TRY = (errors.StorageError, errors.BusyError, errors.TransferError)


def values(job: Job) -> dict[str, Any]:
    """Return what the template needs beside the job.

    Raises:
        ManifestError: the image is not by digest, or the manifest extends one of another folder.
        LicenceError: licences are not accepted.
    """
    require_image(job)
    require_licences(job)
    for path in job.documents:
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise ManifestError(
                f"{job.manifest} extends {path}, which cannot be carried into a pod",
                expected="a manifest beside it",
                found=path,
                remedy="put the two into one folder",
            )
    here = PurePosixPath("/manifests") / next(iter(job.documents))
    return {
        "arguments": ["all", str(here), *job.arguments[2:]],
        "folders": [
            {"name": name, "inside": str(IN_IMAGE / folder)} for name, folder in job.folders
        ],
        "memory_mib": in_units(job.memory, MEBIBYTE),
        "shared_mib": in_units(job.needs.shared_memory, MEBIBYTE),
        "disk_gib": in_units(job.disk, GIBIBYTE),
        "gpu_gib": in_units(job.needs.gpu_memory, GIBIBYTE),
        "gpu_mib": in_units(job.needs.gpu_memory, MEBIBYTE),
        "hopeless": sorted(
            kind.exit_code
            for kind in KitError.__subclasses__()
            if not issubclass(kind, WORTH_ANOTHER_TRY)
        ),
    }
