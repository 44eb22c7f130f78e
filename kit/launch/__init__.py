"""Job files that run `./run.sh all MANIFEST` under Slurm, Kubernetes or SkyPilot.

A job uses one machine: only one run at a time can hold a cache, and its workers are processes. The
scheduler provides a machine of the right size and restarts interrupted jobs; the kit then resumes
from its last checkpoint by itself. The templates are docker/jobs/*.j2.
"""

from collections.abc import Callable

import jinja2

from kit.artifacts import PROJECT
from kit.launch import kubernetes, skypilot, slurm
from kit.launch.job import Job
from kit.launch.quoting import quote_block, quote_comment, quote_shell, quote_yaml

FORMATS: dict[str, Callable[[Job], dict[str, object]]] = {
    "slurm": slurm.template_values,
    "k8s": kubernetes.template_values,
    "sky": skypilot.template_values,
}
TEMPLATES = {"slurm": "slurm.j2", "k8s": "k8s.yaml.j2", "sky": "sky.yaml.j2"}


def render(form: str, job: Job) -> str:
    """Return the job file in one of `FORMATS`.

    Raises:
        ManifestError: the scheduler cannot use the job's image or manifest.
        LicenceError: the licences are not accepted, and the job's machine cannot ask for them.
    """
    values = FORMATS[form](job)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PROJECT / "docker" / "jobs"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "block": quote_block,
        "comment": quote_comment,
        "shell": quote_shell,
        "yaml": quote_yaml,
    }
    return environment.get_template(TEMPLATES[form]).render(job=job, **values)
