"""How often a method sends a record through the model, found by running its loss on a stand-in.

The stand-in's distributions are random; only the calls are counted. So a method that is added
tomorrow is counted as well.
"""

from collections.abc import Hashable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from kit.methods.gradient import Gradient
from kit.methods.merging import turns
from kit.methods.step import Method, Step
from kit.methods.update import GradientRule, Measured, Measuring, State, Update
from kit.model.batches import Batch

WEIGHT, FLOAT = "lora_B.weight", 4  # a weight of the stand-in; bytes of a float32
TOKENS, VOCABULARY, LAYERS, WIDTH = 3, 7, 4, 5


@dataclass(frozen=True)
class Passes:
    """Passes of the model for each drawn record."""

    gradient: int
    """With gradient: they are held in memory at the same time, until the backward pass."""
    other: int
    """Without gradient: of the reference, or to weigh a whole batch."""
    again: int = 0
    """With gradient, after the first ones are released: where `perturb` has moved the weights."""
    measured: int = 0
    """Of each record that is measured before the first step."""
    bytes: int = 0
    """Of memory for each trained weight, beside its value, its gradient and AdamW's means."""
    turns: int = 1
    """How often those with gradient are made, one after the other: once for each adapter."""

    @property
    def all_with_gradient(self) -> int:
        """Return the passes with gradient of a step, whenever they are released."""
        return self.turns * self.gradient + self.again


def count_passes(method: Method) -> Passes:
    """Return the passes that one record of a method's batch takes."""
    # Methods are frozen dataclasses, and a plan asks about equal ones for every job.
    return _counted(cast(Hashable, method))


@lru_cache(maxsize=512)
def _counted(method: Any) -> Passes:
    batch = Batch(
        ("one", "two"),
        {"attention_mask": torch.ones(2, TOKENS)},
        torch.zeros(2, TOKENS, dtype=torch.long),
        torch.ones(2, TOKENS),
    )
    values = torch.zeros(2)
    step = _Counted(
        model=_Decoder(),
        without_adapter=nullcontext,
        needs=method.needs,
        prepared={
            "forget": batch, "retain": batch, "refusal": batch,
            "other": batch, "text": batch, "retain_text": batch, "alternate": batch,
            "refusal_text": batch, "subject_fact": batch, "has_subject_fact": values,
            **{f"random_{k}": batch for k in range(getattr(method, "answers", 1))},
            "forget_reference": values, "refusal_reference": values, "alternate_reference": values,
            "retain_only_reference": values,
            "forget_is_person": torch.tensor([1.0, 0.0]),
            "concept_tokens": torch.zeros(VOCABULARY, dtype=torch.bool),
            "direction": torch.ones(WIDTH),
        },
    )  # fmt: skip
    terms, moved = [], []
    again = replace(step, perturbed=True)
    single = replace(step)
    # A loss that asks the model itself fails on the stand-in. What is wrong with a loss is said by
    # `try-method` and before training.
    own = list(turns(method, step))
    with suppress(Exception):
        for turn in own:
            terms = _names(method.loss(turn))
        if method.needs.perturbation:
            moved = _names(method.loss(again))
    measured: list[str] = []
    with suppress(Exception):
        if method.needs.measure and isinstance(method, Measuring):
            measured = list(method.measure(single))
    # With several micro-batches, a first pass computes the forget losses of the whole batch.
    whole = int(method.needs.concept_balance)
    return Passes(
        max(1, *(turn.with_gradient for turn in own)),
        sum(turn.without_gradient for turn in own) + whole,
        again.with_gradient,
        single.with_gradient + single.without_gradient,
        _bytes(method, terms, moved, measured),
        len(own),
    )


def _names(losses: object) -> list[str]:
    return list(losses) if isinstance(losses, Mapping) else ["loss"]


def _bytes(
    method: Method, terms: Sequence[str], moved: Sequence[str], measured: Sequence[str]
) -> int:
    """Return the bytes that a method keeps for each trained weight, found by running its rule."""
    if not (method.needs.gradient_rule and isinstance(method, GradientRule)):
        return 0
    one = Gradient({WEIGHT: torch.ones(1)})
    gradients, perturbed = dict.fromkeys(terms, one), dict.fromkeys(moved, one)
    update = Update(gradients, dict.fromkeys(terms, 1.0), State(), perturbed)
    with suppress(Exception):
        if isinstance(method, Measuring):
            update.state = method.begin(dict.fromkeys(measured, Measured(1.0, one, one)))
        method.combine(update)
    kept = sum(v.element_size() for entry in update.state.weights.values() for v in entry.values())
    # The weights as they were, for masked ones and while they are moved.
    copies = int(update.mask is not None) + int(method.needs.perturbation)
    # Before the first step, a mean and a square for each loss; AdamW has no means yet.
    before = FLOAT * (2 * len(measured) - 2)
    return max(kept + FLOAT * (len(terms) + len(moved) + copies), before)


@dataclass
class _Counted(Step):
    """A step whose model is replaced by random distributions."""

    with_gradient: int = 0
    without_gradient: int = 0

    def policy(self, batch: Batch) -> Tensor:
        self.with_gradient += 1
        return _random().requires_grad_()

    def reference(self, batch: Batch) -> Tensor:
        self.without_gradient += 1
        return _random()

    def policy_everywhere(self, batch: Batch) -> Tensor:
        return self.policy(batch)

    def reference_everywhere(self, batch: Batch) -> Tensor:
        return self.reference(batch)

    def hidden(self, batch: Batch, layer: int) -> Tensor:
        self.with_gradient += 1
        return _random(WIDTH).requires_grad_()

    def reference_hidden(self, batch: Batch, layer: int) -> Tensor:
        self.without_gradient += 1
        return _random(WIDTH)


class _Decoder(torch.nn.Module):
    """A model of which only the number of layers is known."""

    def get_decoder(self) -> SimpleNamespace:
        return SimpleNamespace(layers=range(LAYERS))


def _random(size: int = VOCABULARY) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return log_softmax(torch.rand(2, TOKENS, size, generator=generator), dim=-1)
