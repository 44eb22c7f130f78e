"""Gradient norms of records: by hand, against autograd one record at a time, and on 4 bits."""

import math
import re
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from kit.errors import ModelError
from kit.model.base import load_base
from kit.model.batches import Batcher
from kit.model.lora import add_adapter
from kit.model.weight_gradients import gradient_norms
from tests.toys.engine import smoke
from tests.toys.policy import END, TABLE, A, B, batch_of

torch.set_num_threads(1)
MODULES = r".*\.language_model\.layers\.\d+\..*_proj"


class OneLayer(nn.Module):
    """The bigram policy as one linear layer on one-hot tokens: its weight holds log p."""

    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding.from_pretrained(torch.eye(4))
        self.x_proj = nn.Linear(4, 4, bias=False).requires_grad_(False)
        self.x_proj.weight.copy_(torch.tensor(TABLE).log().T)

    def get_input_embeddings(self):
        return self.tokens

    def forward(self, input_ids, attention_mask, logits_to_keep, use_cache):
        return SimpleNamespace(logits=self.x_proj(self.tokens(input_ids))[:, -logits_to_keep:])


def test_two_norms_worked_out_by_hand_in_one_padded_batch():
    """The gradient of column i is the sum of (p - y) / T where token i is the last one.

    A -> B -> end: (.1, .2, .3, -.6) / 2 after A and (.1, -.5, .2, .2) / 2 after B.
    A -> A -> end: both after A: (.1, .2, -.7, .4) + (.1, -.8, .3, .4) = (.2, -.6, -.4, .8), / 2.
    """
    batch = batch_of(([A], [B, END]), ([B, A, A], [A, END]), padding=3)
    found = gradient_norms(OneLayer(), batch, "x_proj")
    assert found.tolist() == pytest.approx([math.sqrt(0.50 + 0.34) / 2, math.sqrt(1.2) / 2])


@pytest.fixture
def batcher(processor):
    return Batcher(processor, torch.device("cpu"))


@pytest.fixture(scope="module")
def plain(tiny_base):
    from transformers import LlavaForConditionalGeneration

    model = LlavaForConditionalGeneration.from_pretrained(tiny_base, attn_implementation="eager")
    return model.eval().requires_grad_(False)


def trained(model):
    """Return the weights that the expression names."""
    named = model.named_modules()
    return [module.weight for path, module in named if re.fullmatch(MODULES, path)]


def test_norms_are_those_of_autograd_for_each_record_alone(plain, batcher, records):
    """open-unlearning's loop: transformers' own loss, a backward pass, the mean of all norms."""
    expected = []
    for record in records:
        for weight in trained(plain):
            weight.requires_grad_().grad = None
        batch = batcher([record])
        labels = batch.inputs["input_ids"].clone()
        labels[:, : -batch.answer_ids.shape[1]] = -100
        plain(**batch.inputs, labels=labels).loss.backward()
        norms = [weight.grad.norm() for weight in trained(plain)]
        expected.append(float(torch.stack(norms).mean()))
    plain.requires_grad_(False)
    assert len(norms) == 14, "seven layers in each of two decoder layers"
    together = gradient_norms(plain, batcher(records), MODULES).tolist()
    assert together == pytest.approx(expected, rel=1e-3)
    backwards = gradient_norms(plain, batcher(records[::-1]), MODULES).tolist()
    assert backwards[::-1] == pytest.approx(expected, rel=1e-3)
    assert max(expected) > 1.05 * min(expected), "records that are all alike show nothing"
    assert not any(weight.grad is not None and weight.requires_grad for weight in trained(plain))


def test_on_four_bits_it_is_the_gradient_of_the_effective_weight(tiny_base, batcher, records):
    """A matrix of zeros added to each adapted layer gets the gradient that the layer's would."""
    model = add_adapter(
        load_base(tiny_base, smoke().model), "one", modules=MODULES, rank=4, alpha=8
    )
    torch.manual_seed(3)
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(weights, std=0.3)
    model.requires_grad_(False)  # as `load_adapter` leaves it
    batch = batcher([records[0]])
    found = gradient_norms(model, batch, MODULES).item()
    assert all(weights.grad is None for weights in model.parameters())
    added, handles = [], []
    for path, layer in model.get_base_model().named_modules():
        if re.fullmatch(MODULES, path):
            zero = torch.zeros(layer.out_features, layer.in_features, requires_grad=True)
            added.append(zero)
            handles.append(
                layer.register_forward_hook(
                    lambda _, args, output, zero=zero: output + args[0] @ zero.T
                )
            )
    labels = batch.inputs["input_ids"].clone()
    labels[:, : -batch.answer_ids.shape[1]] = -100
    model(**batch.inputs, labels=labels).loss.backward()
    for handle in handles:
        handle.remove()
    expected = torch.stack([zero.grad.norm() for zero in added]).mean().item()
    assert found == pytest.approx(expected, rel=1e-4)
    before = gradient_norms(model.unload(), batch, MODULES).item()
    assert abs(before - expected) > 0.01 * expected, "the adapter is part of the weight"


def test_an_expression_that_matches_nothing_is_named():
    with pytest.raises(ModelError, match="lora_modules matches no module"):
        gradient_norms(OneLayer(), batch_of(([A], [END])), "y_proj")
