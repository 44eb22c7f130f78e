"""Job files that run `./run.sh all MANIFEST` under Slurm, Kubernetes or SkyPilot.

A job uses one machine, or several that become one Ray cluster: only one run at a time can hold a
cache. The scheduler provides machines of the right size and restarts interrupted jobs; the kit then
resumes from its last checkpoint by itself. The templates are docker/jobs/*.j2.
"""

from collections.abc import Callable

import jinja2

from kit.artifacts import PROJECT
from kit.launch import kubernetes, rayjob, skypilot, slurm
from kit.launch.job import Job
from kit.launch.nodes import OBJECT_STORE_BYTES, ONE
from kit.launch.quoting import quote_block, quote_comment, quote_shell, quote_yaml

FORMATS: dict[str, Callable[[Job], dict[str, object]]] = {
    "slurm": slurm.template_values,
    "k8s": kubernetes.template_values,
    "sky": skypilot.template_values,
}
# A cluster in Kubernetes is another kind of object; the other two differ in a few lines.
ON_CLUSTER = {**FORMATS, "k8s": rayjob.template_values}
TEMPLATES = {"slurm": "slurm.j2", "k8s": "k8s.yaml.j2", "sky": "sky.yaml.j2"}
CLUSTER_TEMPLATES = {**TEMPLATES, "k8s": "rayjob.yaml.j2"}


def render(form: str, job: Job) -> str:
    """Return the job file in one of `FORMATS`.

    Raises:
        ManifestError: the scheduler cannot use the job's image or manifest.
        LicenceError: the licences are not accepted, and the job's machine cannot ask for them.
    """
    formats, templates = (
        (FORMATS, TEMPLATES) if job.nodes == ONE else (ON_CLUSTER, CLUSTER_TEMPLATES)
    )
    values = formats[form](job)
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
    return environment.get_template(templates[form]).render(
        job=job, cluster=job.nodes > ONE, object_store=OBJECT_STORE_BYTES, **values
    )
