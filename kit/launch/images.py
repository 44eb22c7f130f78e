"""Requirements of jobs that pull an image: its digest, because tags can move, and the licences."""

import re

from kit.errors import LicenceError, ManifestError
from kit.launch.job import Job

# From the grammar of container references: registry, path and tag, then the digest.
BY_DIGEST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]*@sha256:[0-9a-f]{64}")


def require_image(job: Job) -> str:
    """Return the image's name.

    Raises:
        ManifestError: it is missing, or has no digest.
    """
    if job.image is None or not BY_DIGEST.fullmatch(job.image):
        raise ManifestError(
            "--image is missing" if job.image is None else "--image has no digest",
            expected="REGISTRY/NAME@sha256:DIGEST (64 hexadecimal digits)",
            found=job.image,
            remedy=f"./run.sh image build {job.target}, push the image to a registry that the "
            "machines reach, and use the digest that the push prints",
        )
    return job.image


def require_licences(job: Job) -> None:
    """Require accepted licences: a new machine has no record of them, and cannot ask.

    Raises:
        LicenceError: the job would stop at a licence.
    """
    if job.licences:
        raise LicenceError(
            "the job would stop at the licences of its sources",
            expected="--accept-licences",
            found=f"{', '.join(job.licences)}: not accepted on a new machine",
            remedy="read them (./run.sh fetch shows them), then add --accept-licences",
        )
