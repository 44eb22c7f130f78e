"""LoRA in bfloat16: what the optimiser updates stays in float32."""

import pytest
import torch

from kit.experiment.manifest import ModelSection
from kit.methods.registry import build
from kit.model.base import load_base
from kit.model.batches import Batcher
from kit.model.lora import adapter_state, add_adapter
from kit.training.loop import train
from kit.training.masters import MasterWeights
from tests.model.test_models import LANGUAGE, NOWHERE
from tests.toys.policy import Bigram, trained_on
from tests.training.test_training import Killed, killed_at, run, section, steps_of

torch.set_num_threads(1)


class Watched(Bigram):
    """A policy that notes the type that it computes in."""

    def __init__(self, *table):
        super().__init__(*table)
        self.types = set()

    def forward(self, input_ids, **inputs):
        self.types.add(self.table.dtype)
        found = super().forward(input_ids, **inputs)
        found.logits = found.logits.float()
        return found


def test_the_model_computes_in_bfloat16_and_ends_with_the_masters(tmp_path):
    exact, _, lines = run(tmp_path / "exact", steps=20)
    policy = Watched()
    found, _, rounded = run(tmp_path / "rounded", policy, steps=20, lora_dtype="bfloat16")
    assert policy.types == {torch.bfloat16}
    assert found.dtype == torch.float32
    assert not torch.equal(found, found.bfloat16().float()), "what is saved is not rounded"
    assert torch.allclose(found, exact, atol=0.1)
    assert rounded[-1]["loss"] == pytest.approx(lines[-1]["loss"], abs=0.05)
    assert rounded[-1]["loss"] < rounded[0]["loss"] - 0.1, "it learns"


def test_updates_that_bfloat16_would_round_away_add_up(tmp_path):
    """A hundred steps of 1e-5 on weights near 1, where bfloat16 has steps of 0.004."""
    found, _, _ = run(
        tmp_path, method="grad_ascent", steps=100, learning_rate=1e-5, lora_dtype="bfloat16"
    )
    moved = (found - Bigram().table.detach()).abs()
    assert 1e-4 < moved.max().item() < 1e-3
    one = torch.tensor(1.0).bfloat16()
    assert one - 1e-5 == one, "a single update is lost in bfloat16"


@pytest.mark.parametrize("micro", [1, 2])
def test_gradients_of_micro_batches_are_added_in_float32(micro):
    policy = Watched()
    masters = MasterWeights(policy, torch.bfloat16)
    for step in steps_of(policy)(0, micro):
        step.forget_nll().mean().backward()
        masters.collect_gradients()
        assert policy.table.grad is None
    expected = Bigram(policy.table.detach().exp().tolist())
    assert masters.named["table"].grad.dtype == torch.float32
    total = torch.zeros(4, 4)
    for step in steps_of(expected)(0, micro):
        expected.zero_grad()
        step.forget_nll().mean().backward()
        total += expected.table.grad
    assert torch.allclose(masters.named["table"].grad, total, atol=2e-2)


@pytest.mark.parametrize("at", [3, 5])
def test_a_killed_run_in_bfloat16_ends_in_the_same_bits(tmp_path, at):
    expected, _, lines = run(
        tmp_path / "whole", Watched(), checkpoint_every=3, lora_dtype="bfloat16"
    )
    policy = Watched()
    with pytest.raises(Killed):
        run(
            tmp_path / "killed", policy, source=killed_at([at], policy), checkpoint_every=3,
            lora_dtype="bfloat16",
        )  # fmt: skip
    found, _, again = run(tmp_path / "killed", Watched(), checkpoint_every=3, lora_dtype="bfloat16")
    assert torch.equal(found, expected)
    assert again == lines


def test_without_the_option_the_model_computes_with_the_masters_themselves():
    policy = Bigram()
    masters = MasterWeights(policy)
    assert masters.named["table"] is policy.table


def test_an_adapter_of_a_quantised_llava_learns_in_bfloat16(
    tiny_base, processor, records, tmp_path
):
    section_ = ModelSection(source=NOWHERE, compute_dtype="bfloat16", lora_modules=LANGUAGE)
    torch.manual_seed(0)
    model = add_adapter(load_base(tiny_base, section_), "t", modules=LANGUAGE, rank=4, alpha=4)
    step = trained_on(model, Batcher(processor, torch.device("cpu"))(records))
    settings = section(steps=30, learning_rate=0.02, lora_dtype="bfloat16")
    train(model, build("retain_finetune", {}), settings, lambda n, size: iter([step]), tmp_path,
          name="t")  # fmt: skip
    lines = (tmp_path / "losses.jsonl").read_text().splitlines()
    losses = [float(line.split('"loss": ')[1].split(",")[0]) for line in lines]
    assert losses[-1] < 0.3 * losses[0]
    state = adapter_state(model, "t")
    assert {tensor.dtype for tensor in state.values()} == {torch.float32}
    assert any(not torch.equal(t, t.bfloat16().float()) for t in state.values())
