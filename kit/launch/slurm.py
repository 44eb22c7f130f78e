"""A batch script for sbatch that runs the image, a SIF file, with apptainer."""

from kit.errors import ManifestError
from kit.launch.job import GIBIBYTE, MEBIBYTE, Job, ceil_units


def template_values(job: Job) -> dict[str, object]:
    """Return the values that the template needs in addition to the job.

    Raises:
        ManifestError: `--image` is not the path of a SIF file.
    """
    if job.image is not None and not (job.image.endswith(".sif") and job.image.isprintable()):
        raise ManifestError(
            "--image is not a SIF file",
            expected="the path of a .sif file on the cluster",
            found=job.image,
            remedy="apptainer build kit.sif oci-archive:kit.tar (see ./run.sh image export); "
            "without --image the job uses the image of this source from the cache",
        )
    return {
        "memory_mib": ceil_units(job.memory, MEBIBYTE),
        "gpu_gib": ceil_units(job.resources.gpu_memory, GIBIBYTE),
        "time": job.time and _format_duration(job.time),
    }


def _format_duration(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days}-{hours:02}:{minutes:02}:{seconds:02}"
