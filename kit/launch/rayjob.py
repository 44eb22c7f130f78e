"""A RayJob for KubeRay: pods of the image become one Ray cluster, which runs the job and ends.

A RayJob is submitted to Ray's dashboard. That is why its pods use docker/requirements.rayjob.lock.
"""

import re
import shlex

from kit.artifacts import PROJECT
from kit.launch import kubernetes
from kit.launch.job import Job
from kit.supply_chain.locks import read_lock

LOCK = PROJECT / "docker" / "requirements.rayjob.lock"
MAX_NAME_CHARACTERS = 47  # KubeRay adds to it, and the names of its services have at most 63
RUN = kubernetes.IN_IMAGE / "run.sh"
# The image's own, with a `ray` in front.
PATH = f"{kubernetes.IN_IMAGE}/docker/jobs/bin:/opt/environment/bin" + "".join(
    f":{folder}"
    for folder in ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
)


def template_values(job: Job) -> dict[str, object]:
    """Return the values that the template needs in addition to the job.

    Raises:
        ManifestError: as for a Job of one machine.
        LicenceError: licences are not accepted.
    """
    values = kubernetes.template_values(job)
    arguments = shlex.join([str(RUN), *_words(values["arguments"]), "--executor", "ray"])
    name = _name(job)
    kept = f"set -o pipefail; {arguments} 2>&1 | tee -a /data/{name}.log"
    [version] = [package.version for package in read_lock(LOCK) if package.key == "ray"]
    return values | {
        "name": name,
        "claim": "pebench-shared",
        "access": "ReadWriteMany",
        "run": str(RUN),
        "path": PATH,
        "entrypoint": f"bash -c {shlex.quote(kept)}",
        "ray_version": version,
    }


def _words(arguments: object) -> list[str]:
    assert isinstance(arguments, list)
    return arguments


def _name(job: Job) -> str:
    """Return the result's name as the name of a RayJob, which has to begin with a letter."""
    name = job.name_within(MAX_NAME_CHARACTERS)
    return name if re.match("[a-z]", name) else f"x{name[1:]}"
