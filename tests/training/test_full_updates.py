"""Jobs that train full updates: what they leave, and that neither a kill nor a rule changes it."""

# ruff: noqa: F811  (fixtures of another module)

import dataclasses

import pytest
import torch
from safetensors.torch import load_file

from kit.artifacts import Artifact
from kit.errors import TrainingError
from kit.experiment.systems import VANILLA
from kit.methods.task_vector import TaskVector
from kit.model.base import language_layers
from kit.model.families import family_in
from kit.model.likelihood import answer_distribution, mean_nll
from kit.model.lora import load_adapter
from kit.result.layout import FULL_UPDATE
from kit.training.shared_scalars import path_of
from tests.training.test_jobs import (  # noqa: F401  (fixtures)
    equal,
    job,
    kill,
    neurons,
    new_worker,
    records_of,
    vanilla,
    worker,
)

torch.set_num_threads(1)
RATE = 2e-3


def full(method, below, **changed):
    return job(method, below, update="full", learning_rate=RATE, **changed)


def changes(artifact):
    return load_file(artifact.path / FULL_UPDATE)


@pytest.fixture
def full_vanilla(worker):
    made = full("retain_finetune", None, name="vanilla", checkpoint_every=0)
    worker.run(made)
    return made.artifact


def nll(worker, artifacts, ids):
    model = worker.base
    for number, artifact in enumerate(artifacts):
        model = load_adapter(model, f"{VANILLA}{number or ''}", artifact.path)
    batch = worker.batcher(records_of(worker, ids))
    with torch.no_grad():
        found = mean_nll(answer_distribution(model, batch), batch).mean().item()
    worker.base = model.unload() if artifacts else model
    return found


def test_a_job_leaves_one_change_for_each_layer_of_the_language_model(
    worker, full_vanilla, tiny_base
):
    names = {path.name for path in full_vanilla.path.iterdir()}
    assert names == {"full_update.safetensors", "job.json", "losses.jsonl"}
    found = changes(full_vanilla)
    layers = language_layers(worker.base, family_in(tiny_base))
    assert found.keys() == {f"{path}.weight" for path in layers}
    assert all(bool(change.any()) for change in found.values())
    everything = worker.benchmark.finetune
    assert nll(worker, [full_vanilla], everything) < nll(worker, [], everything) - 0.5


@pytest.mark.parametrize("below", ["vanilla", "full_vanilla"])
def test_unlearning_begins_at_a_vanilla_model_of_either_kind(worker, request, below):
    artifact = request.getfixturevalue(below)
    given = full("grad_ascent", artifact)
    worker.run(given)
    forget = worker.benchmark.splits["both"].forget
    assert nll(worker, [artifact, given.artifact], forget) > nll(worker, [artifact], forget) + 0.1
    assert path_of(artifact, records_of(worker, forget), 1)


@pytest.mark.parametrize("method", ["npo", "mmunlearner", "npo_sam", "l1", "mip_editor"])
def test_a_job_killed_and_resumed_in_a_new_process_ends_in_the_same_bytes(
    worker, full_vanilla, tiny_base, processor, pictures, monkeypatch, method
):
    whole = full(method, full_vanilla)
    killed = dataclasses.replace(whole, artifact=Artifact("killed", whole.name, "1" * 64))
    worker.run(whole)
    kill(new_worker(tiny_base, processor, pictures), killed, 3, monkeypatch)
    assert (killed.artifact.partial / "checkpoint").is_file()
    new_worker(tiny_base, processor, pictures).run(killed)
    one, two = ((each.artifact.path / FULL_UPDATE).read_bytes() for each in (whole, killed))
    assert one == two
    assert equal(changes(whole.artifact), changes(killed.artifact))


def test_a_checkpoint_holds_value_and_both_means_of_every_weight(
    tiny_base, processor, pictures, worker, vanilla, monkeypatch
):
    given = full("grad_diff", vanilla)
    kill(new_worker(tiny_base, processor, pictures), given, 3, monkeypatch)
    held = load_file(given.artifact.partial / "checkpoint")
    means = [tensor for name, tensor in held.items() if name.endswith(("exp_avg", "exp_avg_sq"))]
    values = [tensor for name, tensor in held.items() if not name.startswith("optimizer/")]
    assert len(means) == 2 * len(values) == 2 * 14
    assert sum(m.numel() for m in means) == 2 * sum(v.numel() for v in values)


def test_a_task_vector_is_the_negated_change_and_undoes_what_was_learnt(
    worker, full_vanilla, monkeypatch
):
    stored = full("task_vector", full_vanilla)
    worker.run(stored)
    monkeypatch.setattr(TaskVector, "after_training", lambda self, weights: weights)
    learnt = dataclasses.replace(stored, artifact=Artifact("learnt", stored.name, "1" * 64))
    worker.run(learnt)
    now, then = changes(stored.artifact), changes(learnt.artifact)
    assert all(bool(tensor.any()) for tensor in then.values())
    assert all(torch.equal(tensor, -then[name]) for name, tensor in now.items())
    forget = worker.benchmark.splits["both"].forget
    learnt_nll, stored_nll = (
        nll(worker, [full_vanilla, each.artifact], forget) for each in (learnt, stored)
    )
    assert learnt_nll < stored_nll


def test_weights_that_a_mask_holds_do_not_move(worker, full_vanilla):
    given = full("mmunlearner", full_vanilla)
    worker.run(given)
    found = torch.cat([change.flatten() for change in changes(given.artifact).values()])
    assert 0.2 < float((found == 0).float().mean()) < 0.9


def test_removed_neurons_lie_beside_an_update_and_get_no_gradient(worker, full_vanilla):
    given = full("mip_editor", full_vanilla)
    worker.run(given)
    assert {path.name for path in given.artifact.path.iterdir()} == {
        "full_update.safetensors", "job.json", "losses.jsonl", "neurons.json",
    }  # fmt: skip
    found = changes(given.artifact)
    for path, numbers in neurons(given.artifact).items():
        assert not found[f"{path}.weight"][:, numbers].any()
        assert found[f"{path}.weight"].any()


def test_a_method_without_training_leaves_what_it_left_before(worker, full_vanilla):
    plain, other = job("manu", full_vanilla), full("manu", full_vanilla)
    other = dataclasses.replace(other, artifact=Artifact("other", other.name, "1" * 64))
    for each in (plain, other):
        worker.run(each)
    assert neurons(plain.artifact) == neurons(other.artifact)
    assert not (other.artifact.path / FULL_UPDATE).exists()


def test_an_update_is_computed_in_bfloat16_and_stored_in_float32(worker, vanilla):
    given = full("npo", vanilla, lora_dtype="bfloat16")
    worker.run(given)
    found = changes(given.artifact)
    assert {change.dtype for change in found.values()} == {torch.float32}
    rounded = [torch.equal(change, change.bfloat16().float()) for change in found.values()]
    assert not any(rounded)


def test_an_update_that_learns_nothing_is_an_error(worker, vanilla):
    none = job("npo", vanilla, update="full", steps=1, learning_rate=1e-45)
    with pytest.raises(TrainingError, match="learnt nothing"):
        worker.run(none)
