"""An image that a cluster pulls is named by its digest: a tag may be another image tomorrow."""

import re

from kit.errors import LicenceError, ManifestError
from kit.launch.job import Job

# Of the grammar of container references, what a registry's name, a path and a tag are made of.
BY_DIGEST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]*@sha256:[0-9a-f]{64}")


def require_image(job: Job) -> str:
    """Return the image's name.

    Raises:
        ManifestError: it is missing, or not by digest.
    """
    if job.image is None or not BY_DIGEST.fullmatch(job.image):
        raise ManifestError(
            "--image is missing" if job.image is None else "--image is not by digest",
            expected="REGISTRY/NAME@sha256:DIGEST (64 hexadecimal digits)",
            found=job.image,
            remedy=f"./run.sh image build {job.target}, push it to a registry that the machines "
            "reach, and take the digest that the push prints",
        )
    return job.image


def require_licences(job: Job) -> None:
    """A machine that nobody has used yet knows of no accepted licence, and has nobody to ask.

    Raises:
        LicenceError: the job would stop there.
    """
    if job.licences:
        raise LicenceError(
            "the job would stop at the licences of its sources",
            expected="--accept-licences",
            found=f"{', '.join(job.licences)}: not accepted on a new machine",
            remedy="read them (./run.sh fetch shows them), then add --accept-licences",
        )
