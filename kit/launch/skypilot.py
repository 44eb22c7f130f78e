"""A task for SkyPilot: a cloud's machine that runs the image with docker, its work in a bucket."""

from pathlib import Path
from typing import Any

from kit.errors import ManifestError
from kit.launch.images import require_image, require_licences
from kit.launch.job import GIBIBYTE, Job, in_units

# SkyPilot's names of the accelerators that compute in bfloat16, and their memory as sold, in GB.
ACCELERATORS = {
    "L4": 24, "A10G": 24, "A10": 24, "A100": 40, "L40S": 48, "A100-80GB": 80, "H100": 80,
    "H200": 141,
}  # fmt: skip
# GiB; SkyPilot's own default, below which some clouds' systems do not fit.
SMALLEST_DISK = 256
# GiB beside the work: the system, and the image (10 GB), packed and unpacked.
SYSTEM = 64


def values(job: Job) -> dict[str, Any]:
    """Return what the template needs beside the job.

    Raises:
        ManifestError: the image is not by digest, the manifest lies outside the project, or no
            accelerator is large enough.
        LicenceError: licences are not accepted.
    """
    require_image(job)
    require_licences(job)
    if Path(job.manifest).is_absolute():
        raise ManifestError(
            "SkyPilot brings the project's folder alone, and the manifest lies outside",
            expected="a manifest inside the project",
            found=job.manifest,
            remedy="copy it to manifests/",
        )
    return {
        "folders": [_mount(folder) for _, folder in job.folders],
        "memory_gib": in_units(job.memory, GIBIBYTE),
        "disk_gib": max(SMALLEST_DISK, in_units(job.disk, GIBIBYTE) + SYSTEM),
        "gpu_gib": in_units(job.needs.gpu_memory, GIBIBYTE),
        "accelerators": _accelerators(job) if job.gpus else [],
        "limit": f"timeout {job.time} " if job.time else "",
    }


def _accelerators(job: Job) -> list[str]:
    needed = job.needs.gpu_memory
    fitting = [
        f"{name}:{job.gpus}" for name, size in ACCELERATORS.items() if size * 10**9 >= needed
    ]
    if not fitting:
        raise ManifestError(
            "no accelerator that is known here is large enough",
            expected=f"{needed / 1e9:.0f} GB",
            found=f"at most {max(ACCELERATORS.values())} GB",
            remedy="add its name and memory to kit/launch/skypilot.py",
        )
    return fitting


def _mount(folder: str) -> dict[str, str]:
    if Path(folder).is_absolute():
        return {"remote": folder, "local": folder}
    return {"remote": f"~/sky_workdir/{folder}", "local": f"./{folder}"}
