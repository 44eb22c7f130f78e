"""The scaffold of a method: its file, its tests, and a manifest that runs it."""

import tomllib

from kit.artifacts import PROJECT
from kit.scaffolds.files import Scaffold, filled
from kit.scaffolds.names import require_name
from kit.scaffolds.pages import Row

SMOKE = PROJECT / "manifests" / "smoke.toml"


def method_scaffold(given: str) -> Scaffold:
    """Return the files of a new method.

    Raises:
        ManifestError: the name is none, is reserved, or is that of a row of the small experiment.
    """
    entries = tomllib.loads(SMOKE.read_text(encoding="utf-8"))["methods"]
    name = require_name("method", given, {entry["name"] for entry in entries})
    method, test = f"kit/methods/{name.module}.py", f"tests/methods/test_{name.module}.py"
    manifest = f"manifests/{name.name}.toml"
    title = f"{name.label}: L = -gamma E_f[M] + alpha E_r[M], until you write your own here"
    sentence = "Make the answers of D_f less likely, and keep those of D_r"
    return Scaffold(
        files={
            method: filled("method.py", name),
            test: filled("test_method.py", name),
            manifest: filled("method.toml", name),
        },
        rows=(
            Row(
                "kit/methods/README.md",
                "| `method` |",
                f"| `{name.module}` | {title} | {sentence} |",
                ordered=True,
            ),
            Row(
                "manifests/README.md",
                "| manifest | what it is |",
                f"| `{name.name}.toml` | `smoke.toml` with the method `{name.module}` as one more "
                "row | CPU, minutes |",
            ),
        ),
        next=(
            f"{name.label} is gradient difference until you change it. Write your formula into",
            f"{method}, and write it again, without tensors, into the test.",
            f"  ./run.sh test -n 0 {test}",
            f"  ./run.sh try-method {name.module}",
            f"  ./run.sh plan {manifest}",
            f"  ./run.sh all {manifest}",
            "kit/methods/README.md says what a method can need. When you change the first sentence",
            "of the file or of the class: python3 -m tests.readmes",
        ),
    )
