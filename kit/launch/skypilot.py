"""A task for SkyPilot: a cloud machine runs the image with docker; its work is kept in a bucket."""

from pathlib import Path

from kit.errors import ManifestError
from kit.launch.images import require_image, require_licences
from kit.launch.job import GIBIBYTE, Job, ceil_units

# SkyPilot's name of each accelerator that computes in bfloat16 -> its nominal memory in GB.
ACCELERATOR_GB = {
    "L4": 24, "A10G": 24, "A10": 24, "A100": 40, "L40S": 48, "A100-80GB": 80, "H100": 80,
    "H200": 141,
}  # fmt: skip
# SkyPilot's default; the system images of some clouds do not fit on less.
MIN_DISK_GIB = 256
# For the operating system and the container image (10 GB), packed and unpacked.
SYSTEM_DISK_GIB = 64


def template_values(job: Job) -> dict[str, object]:
    """Return the values that the template needs in addition to the job.

    Raises:
        ManifestError: the image has no digest, the manifest is outside the project, or no
            accelerator is large enough.
        LicenceError: licences are not accepted.
    """
    require_image(job)
    require_licences(job)
    if Path(job.manifest).is_absolute():
        raise ManifestError(
            "SkyPilot copies only the project's folder, and the manifest is outside",
            expected="a manifest inside the project",
            found=job.manifest,
            remedy="copy it to manifests/",
        )
    return {
        "folders": [_mount(folder) for _, folder in job.folders],
        "memory_gib": ceil_units(job.memory, GIBIBYTE),
        "disk_gib": max(MIN_DISK_GIB, ceil_units(job.disk, GIBIBYTE) + SYSTEM_DISK_GIB),
        "gpu_gib": ceil_units(job.resources.gpu_memory, GIBIBYTE),
        "accelerators": _accelerators(job) if job.gpus else [],
        "limit": f"timeout {job.time} " if job.time else "",
    }


def _accelerators(job: Job) -> list[str]:
    needed = job.resources.gpu_memory
    fitting = [
        f"{name}:{job.gpus}" for name, size in ACCELERATOR_GB.items() if size * 10**9 >= needed
    ]
    if not fitting:
        raise ManifestError(
            "no known accelerator is large enough",
            expected=f"{needed / 1e9:.0f} GB",
            found=f"at most {max(ACCELERATOR_GB.values())} GB",
            remedy="add its name and memory to kit/launch/skypilot.py",
        )
    return fitting


def _mount(folder: str) -> dict[str, str]:
    if Path(folder).is_absolute():
        return {"remote": folder, "local": folder}
    return {"remote": f"~/sky_workdir/{folder}", "local": f"./{folder}"}
