"""Guards of a worker: padding that changes results, and adapters that learnt nothing."""

from dataclasses import dataclass, replace

import pytest
import torch

from kit.artifacts import Artifact
from kit.errors import TrainingError
from kit.experiment.manifest import ModelSection
from kit.methods import Needs
from kit.model.base import load_base
from kit.model.batches import Batcher
from kit.model.lora import add_adapter
from kit.training import loop, padding
from kit.training import worker as jobs
from kit.training.padding import extremes, require_harmless_padding
from tests.model.test_models import LANGUAGE, NOWHERE
from tests.training.test_jobs import equal, job, new_worker, vanilla, weights, worker

__all__ = ["vanilla", "worker"]  # fixtures
torch.set_num_threads(1)


@pytest.fixture(params=["float32", "bfloat16"])
def adapted(request, tiny_base):
    section = ModelSection(source=NOWHERE, compute_dtype=request.param, lora_modules=LANGUAGE)
    torch.manual_seed(0)
    return add_adapter(load_base(tiny_base, section), "t", modules=LANGUAGE, rank=4, alpha=4)


def ignore_mask(model):
    """Let prompts attend to their padding, as a wrong kernel does."""

    def without_mask(module, args, inputs):
        return args, {**inputs, "attention_mask": torch.ones_like(inputs["attention_mask"])}

    return model.register_forward_pre_hook(without_mask, with_kwargs=True)


def spoil_gradients(model):
    """Give NaN in the backward pass of batches alone, as a kernel with a mask has done."""

    def after(module, args, inputs, found):
        if len(found.logits) > 1:
            found.logits.register_hook(lambda gradient: gradient * float("nan"))

    return model.register_forward_hook(after, with_kwargs=True)


def test_padding_that_is_harmless_passes_and_leaves_no_trace(adapted, processor, records):
    adapted.train()
    modes = [module.training for module in adapted.modules()]
    before = torch.get_rng_state()
    require_harmless_padding(adapted, Batcher(processor, torch.device("cpu")), records[:2], "job")
    assert torch.equal(torch.get_rng_state(), before)
    assert [module.training for module in adapted.modules()] == modes
    assert all(parameter.grad is None for parameter in adapted.parameters())


@pytest.mark.parametrize("fault", [ignore_mask, spoil_gradients])
def test_padding_that_changes_a_loss_or_a_gradient_is_an_error(adapted, processor, records, fault):
    batcher = Batcher(processor, torch.device("cpu"))
    handle = fault(adapted)
    with pytest.raises(TrainingError, match="left padding changes what the model") as caught:
        require_harmless_padding(adapted, batcher, records[:2], "job")
    assert "attention 'eager'" in caught.value.found
    assert "micro_batch_size = 1" in caught.value.remedy
    handle.remove()
    require_harmless_padding(adapted, batcher, records[:2], "job")


def test_two_records_that_do_not_fit_are_said_and_not_checked(
    adapted, processor, records, monkeypatch, capsys
):
    def full(*_):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(padding, "answer_distribution", full)
    require_harmless_padding(adapted, Batcher(processor, torch.device("cpu")), records[:2], "job")
    assert "job: two records do not fit into memory at once" in capsys.readouterr().err


def test_the_shortest_and_the_longest_record_with_an_image_are_compared(records):
    assert [record.id for record in extremes(records)] == ["r0", "r1"]
    assert [record.id for record in extremes(records[3:])] == ["text", "text"]


def test_a_worker_checks_padding_once_and_its_bits_stay(
    worker, vanilla, tiny_base, processor, pictures, monkeypatch
):
    checked = []

    def watched(model, batcher, records, name):
        checked.append(name)
        require_harmless_padding(model, batcher, records, name)

    monkeypatch.setattr(jobs, "require_harmless_padding", watched)
    first, second = job("grad_diff", vanilla, "one"), job("npo", vanilla, "two")
    with_check = new_worker(tiny_base, processor, pictures)
    with_check.run(first)
    with_check.run(second)
    assert checked == ["one"]
    monkeypatch.setattr(jobs, "require_harmless_padding", lambda *_: None)
    again = replace(first, artifact=Artifact("unchecked", "one", "1" * 64))
    new_worker(tiny_base, processor, pictures).run(again)
    assert equal(weights(first.artifact), weights(again.artifact))


def test_the_remedy_for_padding_works(worker, vanilla, tiny_base, processor, pictures):
    faulty = new_worker(tiny_base, processor, pictures)
    ignore_mask(faulty.base)
    with pytest.raises(TrainingError, match="left padding"):
        faulty.run(job("npo", vanilla, "padded"))
    faulty = new_worker(tiny_base, processor, pictures)
    ignore_mask(faulty.base)
    assert faulty.run(job("npo", vanilla, "alone", micro_batch_size=1))["steps"] == 4


@dataclass(frozen=True)
class Idle:
    """A method whose loss does not depend on the adapter."""

    needs = Needs()

    def loss(self, step):
        return step.forget_nll().mean() * 0


def test_an_adapter_that_learnt_nothing_is_an_error_and_is_not_published(worker, vanilla):
    idle = replace(job("grad_ascent", vanilla), method=Idle())
    with pytest.raises(TrainingError, match="both-toy-s1: the adapter learnt nothing") as caught:
        worker.run(idle)
    assert "after 4 steps with a learning rate of 0.02" in caught.value.found
    assert str(idle.artifact.partial / "losses.jsonl") in caught.value.remedy
    assert '"gradient_norm": 0.0' in (idle.artifact.partial / "losses.jsonl").read_text()
    assert not idle.artifact.done


def test_a_run_that_the_stop_rule_ended_may_have_had_nothing_to_forget(
    worker, vanilla, monkeypatch
):
    monkeypatch.setattr(loop, "FORGOTTEN_SHARE", -1.0)
    idle = replace(job("grad_ascent", vanilla), method=Idle(), governed=True)
    assert worker.run(idle)["stopped"]
    assert idle.artifact.done
