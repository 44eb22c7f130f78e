"""Manifests for the tests of `plan --emit`, and a call of the verb."""

from pathlib import Path

from click.testing import CliRunner

from kit.cli.verbs import verbs
from tests.toys.dataset import TOY, own_text

DIGEST = "registry.example.org:5000/lab/kit:gpu@sha256:" + "0123456789abcdef" * 4
IMAGE = {"slurm": [], "k8s": ["--image", DIGEST], "sky": ["--image", DIGEST]}
GATED = """
[[sources]]
name = "faces"
repo = "owner/faces"
licence = "on request"
gated = true
checksums = "checksums/smoke.sha256"

[[sources]]
name = "pope"
folder = "data/pope"
checksums = "checksums/smoke.sha256"

[split]"""


def emit(form: str, *arguments: str | Path) -> str:
    """Return what `plan --emit` prints; errors of the kit are raised.

    A manifest comes first in `arguments`; without one, it is the toy experiment.
    """
    if not (arguments and isinstance(arguments[0], Path)):
        arguments = (TOY, *arguments)
    words = ["plan", "--emit", form, *IMAGE[form], *map(str, arguments)]
    done = CliRunner().invoke(verbs, words)
    if done.exception:
        raise done.exception
    return done.stdout


def gpu_text() -> str:
    """A manifest that needs a GPU, a token and a local folder."""
    text = own_text().replace('compute_dtype = "float32"', 'compute_dtype = "bfloat16"')
    text = text.replace('serving = "merged"', 'serving = "adapters"')
    return text.replace("\n[split]", GATED, 1)
