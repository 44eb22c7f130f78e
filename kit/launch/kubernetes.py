"""A Job for kubectl: an image with a digest, without privileges, on a persistent volume."""

from pathlib import PurePosixPath

from kit import errors
from kit.errors import KitError, ManifestError
from kit.launch.images import require_image, require_licences
from kit.launch.job import GIBIBYTE, MEBIBYTE, Job, ceil_units

IN_IMAGE = PurePosixPath("/opt/pebench")
# A retry may succeed: the disk, another run on the same volume and hosts can change.
RETRIED_ERRORS = (errors.StorageError, errors.BusyError, errors.TransferError)


def template_values(job: Job) -> dict[str, object]:
    """Return the values that the template needs in addition to the job.

    Raises:
        ManifestError: the image has no digest, or the manifest extends one in another folder.
        LicenceError: licences are not accepted.
    """
    require_image(job)
    require_licences(job)
    for path in job.documents:
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise ManifestError(
                f"{job.manifest} extends {path}, which a pod cannot mount",
                expected="a manifest in the same folder",
                found=path,
                remedy="put both into one folder",
            )
    mounted = PurePosixPath("/manifests") / next(iter(job.documents))
    return {
        "name": job.name,
        "claim": "pebench",
        "access": "ReadWriteOnce",
        "arguments": ["all", str(mounted), *job.arguments[2:]],
        "folders": [
            {"name": name, "inside": str(IN_IMAGE / folder)} for name, folder in job.folders
        ],
        "memory_mib": ceil_units(job.memory, MEBIBYTE),
        "shared_mib": ceil_units(job.resources.shared_memory, MEBIBYTE),
        "disk_gib": ceil_units(job.disk, GIBIBYTE),
        "gpu_gib": ceil_units(job.resources.gpu_memory, GIBIBYTE),
        "gpu_mib": ceil_units(job.resources.gpu_memory, MEBIBYTE),
        "hopeless": sorted(
            kind.exit_code
            for kind in KitError.__subclasses__()
            if not issubclass(kind, RETRIED_ERRORS)
        ),
    }
