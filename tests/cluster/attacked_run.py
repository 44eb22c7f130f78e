"""The shrunk experiment with attacks of every kind, a judge, and a grid to tune."""

from pathlib import Path

from tests.runs.test_smoke_run import shrunk
from tests.runs.whole_run import Run
from tests.toys.dataset import own_text

JUDGE = """
[judge]
prompt = "{question} {reference} {answer}"
replies = { yes = 1.0, no = 0.0 }
compute_dtype = "float32"

[judge.source]
name = "judge"
folder = "kit/smoke/base"
checksums = "checksums/smoke-base.sha256"

[attack]
methods = ["npo"]
max_records = 4
"""
ENTRY = """
[[attack.entries]]
name = "{name}"
label = "{name}"
attack = "{attack}"
levels = [{level}]
options = {{ {options} }}
"""
# Words, pictures, context, weights and gradients: what each kind of attack needs on a node.
ATTACKS = (
    ("paraphrase", 1, ""),
    ("blur", 0.05, ""),
    ("in_context", 1, ""),
    ("relearn_forget", 0.5, "steps = 2"),
    ("round_nf4", 4, ""),
    ("pgd", 8, "universal = true, steps = 2, step_size = 4"),
    ("probe_head", 0.5, ""),
)
TUNE = """
[tune]
methods = ["npo"]
seeds = [101]
validation_percent = 30
learning_rates = [1e-3, 3e-3]
file = "{file}"
"""


def attacked_run(root: Path, tuned: str) -> Run:
    """Return a run in an empty folder.

    Args:
        tuned: the file of the choice, inside the project.
    """
    text = shrunk(own_text()).replace("workers = 2", "workers = 1")
    asked = 'serving = "merged"'
    assert asked in text
    text = text.replace(asked, f'{asked}\nmetrics = ["judge"]')
    entries = [
        ENTRY.format(name=attack.replace("_", "-"), attack=attack, level=level, options=options)
        for attack, level, options in ATTACKS
    ]
    return Run(root, "".join([text, JUDGE, *entries, TUNE.format(file=tuned)]))
