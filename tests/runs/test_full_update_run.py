"""A whole run whose models are full updates, with one row of LoRA, from training to its check."""

import json
import re

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.runs.whole_run import Run
from tests.toys.dataset import own_text

pytestmark = [pytest.mark.slow, pytest.mark.extended]

FEWER = {
    r"\nsteps = \d+": "\nsteps = 6",
    r"\nwarmup_steps = \d+": "\nwarmup_steps = 1",
    r"\ncheckpoint_every = \d+": "\ncheckpoint_every = 4",
    r"\nmax_per_column = \d+": "\nmax_per_column = 51",
    r"\nagreement_sample = \d+": "\nagreement_sample = 12",
    r"\nbootstrap_draws = \d+": "\nbootstrap_draws = 100",
    r"\n\[(finetune|unlearn)\].*": '\n[\\1]\nupdate = "full"',
}
ENTRIES = """[[methods]]
name = "npo"
label = "NPO"
method = "npo"
targets = ["person"]

[[methods]]
name = "npo-lora"
label = "NPO, LoRA"
method = "npo"
targets = ["person"]
update = "lora"

[[methods]]
name = "task-vector"
label = "Task vector"
method = "task_vector"
targets = ["person"]

"""
FULL = {"vanilla", "retain_only-person", "person-npo-s1", "person-task-vector-s1"}


def shrunk() -> str:
    """Return the toy experiment with full updates, one target and very few steps."""
    text = own_text()
    head, _, rest = text.partition("[[methods]]")
    text = head + ENTRIES + "[evaluation]" + rest.partition("[evaluation]")[2]
    text = re.sub(r"(?m)^targets = .*both.*$", 'targets = ["person"]', text)
    text = re.sub(r"(?m)^target_steps = .*\n", "", text)
    for pattern, value in FEWER.items():
        text, changed = re.subn(pattern, value, text)
        assert changed, f"the manifest has no {pattern}"
    return text


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    run = Run(tmp_path_factory.mktemp("full"), shrunk())
    code, output = run.call()
    assert code == 0, output
    return run, output


def test_it_ends_with_a_verified_signature_and_says_what_was_trained(finished):
    run, output = finished
    assert "ok  signed by runner" in output
    assert "5 adapters, 4 of them full updates, have the form" in output
    assert "rows recomputed from the stored answers are equal" in output
    report = (run.result / "report" / "report.md").read_text(encoding="utf-8")
    assert "Full updates are trained in fine-tuning and unlearning, not LoRA" in report
    assert "NPO, LoRA (update lora instead of full)" in report


def test_every_update_acts_in_the_engine_and_agrees_with_what_was_trained(finished):
    guards = finished[0].record()["guards"]
    assert set(guards["canary"]) == FULL | {"person-npo-lora-s1"}
    assert min(guards["canary"].values()) > 0
    assert guards["agreement"]["largest_nats"] <= guards["agreement"]["limit_nats"]


def test_the_result_holds_every_update_in_one_file(finished):
    folder = finished[0].result / "adapters"
    found = {path.parent.name: load_file(path) for path in folder.glob("*/full_update.safetensors")}
    assert found.keys() == FULL
    shapes = [{name: d.shape for name, d in each.items()} for each in found.values()]
    assert shapes.count(shapes[0]) == len(shapes)
    assert all(np.any(change) for each in found.values() for change in each.values())
    assert json.loads((folder / "vanilla" / "card.json").read_text())["steps"] == 6


def test_a_second_call_trains_nothing_again(finished):
    run, _ = finished
    before = run.times()
    code, output = run.call()
    assert code == 0, output
    assert "all 2 adapters are done" in output
    artifacts = {path: time for path, time in before.items() if "artifacts" in path.parts}
    after = run.times()
    assert all(after[path] == time for path, time in artifacts.items()
               if path.name == "full_update.safetensors")  # fmt: skip
