"""A batch script for sbatch, which runs the image as a SIF with apptainer."""

from typing import Any

from kit.errors import ManifestError
from kit.launch.job import GIBIBYTE, MEBIBYTE, Job, in_units


def values(job: Job) -> dict[str, Any]:
    """Return what the template needs beside the job.

    Raises:
        ManifestError: `--image` is not the path of a SIF file.
    """
    if job.image is not None and not (job.image.endswith(".sif") and job.image.isprintable()):
        raise ManifestError(
            "--image is nothing that apptainer runs here",
            expected="the path of a .sif file on the cluster",
            found=job.image,
            remedy="apptainer build kit.sif oci-archive:kit.tar (see ./run.sh image export); "
            "without --image the job takes the one of this source from the cache",
        )
    return {
        "memory_mib": in_units(job.memory, MEBIBYTE),
        "gpu_gib": in_units(job.needs.gpu_memory, GIBIBYTE),
        "time": job.time and _duration(job.time),
    }


def _duration(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days}-{hours:02}:{minutes:02}:{seconds:02}"
