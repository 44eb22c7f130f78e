"""Removed neurons in a signed result: which files a method leaves, and what they may say."""

import json
from pathlib import Path

import pytest

from kit.errors import VerificationError
from kit.verification.verify import verify
from tests.toys.signed_result import TRUSTED, rejects
from tests.verification.test_contradictions import edit_run, remake_and_sign

FOLDER = "adapters/person-npo-s1"
LAYER = "model.language_model.layers.0.self_attn.k_proj"


@pytest.fixture
def pruned(damaged: Path) -> Path:
    """A result whose unlearned system is made by a method without training: neurons alone."""
    for name in ("adapter_model.safetensors", "adapter_config.json", "losses.jsonl"):
        (damaged / FOLDER / name).unlink()
    write(damaged, {LAYER: [1, 3]})
    edit_run(damaged, lambda run: change(run, "manu", steps=0, stopped=None))
    return damaged


@pytest.fixture
def edited(damaged: Path) -> Path:
    """A result whose unlearned system has neurons removed beside its adapter."""
    write(damaged, {LAYER: [0]})
    edit_run(damaged, lambda run: change(run, "mip_editor"))
    return damaged


def write(result: Path, neurons: object) -> None:
    (result / FOLDER / "neurons.json").write_text(json.dumps(neurons))


def change(run, method, **job):
    """Say that another method made the unlearned system; without steps, it says so."""
    run["manifest"]["methods"][0]["method"] = method
    run["systems"][1]["method"] = method
    run["jobs"][2]["needs"] |= {"neurons": True, "training_free": method == "manu"}
    run["jobs"][2] |= job


@pytest.mark.parametrize("kind", ["pruned", "edited"])
def test_a_result_with_removed_neurons_is_verified(kind, request):
    result = request.getfixturevalue(kind)
    remake_and_sign(result)
    checks = verify(result, trusted=TRUSTED)
    assert checks.files > 0
    first, *more = [str(f.message) for f in checks.findings if f.check == "adapters"]
    assert first.startswith("2 adapters have" if kind == "pruned" else "3 adapters have")
    alone = "lists of removed neurons without an adapter: 1, all in layers that adapters change"
    assert more == ([alone] if kind == "pruned" else [])
    card = (result / FOLDER / "README.md").read_text()
    assert "neurons.json" in card
    assert ("library_name" in card) == (kind == "edited")
    assert ("This is no LoRA adapter" in card) == (kind == "pruned")


@pytest.mark.parametrize("kind", ["pruned", "edited"])
@pytest.mark.parametrize(
    ("neurons", "reason"),
    [
        ({LAYER: [4]}, "neuron 4 of .*, which has 4 inputs"),
        ({"model.vision_tower.fc1": [0]}, "which is no layer that adapters change"),
        ({LAYER: [2, 1]}, "do not ascend"),
        ({LAYER: [0.5]}, "no numbers from 0"),
        ({}, "no JSON object with layers"),
        ([], "no JSON object with layers"),
    ],
)
def test_neurons_that_the_base_does_not_have_are_refused(kind, neurons, reason, request):
    result = request.getfixturevalue(kind)
    write(result, neurons)
    remake_and_sign(result)
    rejects(result, VerificationError, reason)


@pytest.mark.parametrize("kind", ["pruned", "edited"])
def test_a_list_of_neurons_that_is_missing_is_named(kind, request):
    result = request.getfixturevalue(kind)
    (result / FOLDER / "neurons.json").unlink()
    remake_and_sign(result)
    rejects(result, VerificationError, r"neurons\.json: it is missing")


def test_neurons_of_a_method_that_removes_none_are_no_file_of_a_result(damaged):
    write(damaged, {LAYER: [0]})
    remake_and_sign(damaged)
    rejects(damaged, VerificationError, "files are signed that no result has")


def test_weights_of_a_method_that_trains_none_are_no_file_of_a_result(pruned):
    (pruned / FOLDER / "losses.jsonl").write_text("")
    remake_and_sign(pruned)
    rejects(pruned, VerificationError, "files are signed that no result has")


@pytest.mark.parametrize(("job", "reason"), [
    ({"steps": 3}, "3 steps, not 0"),
    ({"stopped": "early"}, "the manifest gives it no stop rule"),
])  # fmt: skip
def test_a_method_without_training_makes_no_step(pruned, job, reason):
    edit_run(pruned, lambda run: run["jobs"][2].update(job))
    remake_and_sign(pruned)
    rejects(pruned, VerificationError, reason)


def test_a_trained_method_makes_a_step_though_its_rule_may_stop_it(damaged):
    edit_run(damaged, lambda run: run["jobs"][2].update(steps=0))
    remake_and_sign(damaged)
    rejects(damaged, VerificationError, "no step was made")
