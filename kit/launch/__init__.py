"""`./run.sh all MANIFEST` in the words of other people's schedulers: Slurm, Kubernetes, SkyPilot.

One job is one machine: one run at a time holds a cache, and its workers are processes. What the
schedulers add is a machine that fits, and another start where one was cut off; the kit goes on from
its last checkpoint by itself. The templates are docker/jobs/*.j2.
"""

from collections.abc import Callable
from typing import Any

import jinja2

from kit.artifacts import PROJECT
from kit.launch import kubernetes, skypilot, slurm
from kit.launch.job import Job
from kit.launch.quoting import block, comment, shell, yaml

FORMATS: dict[str, Callable[[Job], dict[str, Any]]] = {
    "slurm": slurm.values,
    "k8s": kubernetes.values,
    "sky": skypilot.values,
}
TEMPLATES = {"slurm": "slurm.j2", "k8s": "k8s.yaml.j2", "sky": "sky.yaml.j2"}


def render(form: str, job: Job) -> str:
    """Return the description of a job for one of `FORMATS`.

    Raises:
        ManifestError: the job has an image or a manifest that the scheduler cannot use.
        LicenceError: nobody could be asked for the licences on the machine that will run it.
    """
    values = FORMATS[form](job)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PROJECT / "docker" / "jobs"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"block": block, "comment": comment, "shell": shell, "yaml": yaml}
    return environment.get_template(TEMPLATES[form]).render(job=job, **values)
