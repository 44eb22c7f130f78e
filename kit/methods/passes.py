"""How often a method sends a record through the model, found by running its loss on a stand-in.

The stand-in's distributions are random; only the calls are counted. So a method that is added
tomorrow is counted as well.
"""

from contextlib import nullcontext, suppress
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from kit.methods.step import Method, Step
from kit.model.batches import Batch

TOKENS, VOCABULARY = 3, 7


@dataclass(frozen=True)
class Passes:
    """Passes of the model for each drawn record."""

    gradient: int
    """With gradient: they are held in memory at the same time, until the backward pass."""
    other: int
    """Without gradient: of the reference, or to weigh a whole batch."""


def count_passes(method: Method) -> Passes:
    """Return the passes that one record of a method's batch takes."""
    batch = Batch(
        ("one", "two"),
        {},
        torch.zeros(2, TOKENS, dtype=torch.long),
        torch.ones(2, TOKENS),
    )
    values = torch.zeros(2)
    step = _Counted(
        model=torch.nn.Identity(),
        without_adapter=nullcontext,
        needs=method.needs,
        prepared={
            "forget": batch, "retain": batch, "refusal": batch,
            "other": batch, "text": batch, "retain_text": batch,
            "forget_reference": values, "refusal_reference": values,
            "forget_is_person": torch.tensor([1.0, 0.0]),
            "concept_tokens": torch.zeros(VOCABULARY, dtype=torch.bool),
        },
    )  # fmt: skip
    # A loss that asks the model itself fails on the stand-in. What is wrong with a loss is said by
    # `try-method` and before training.
    with suppress(Exception):
        method.loss(step)
    # With several micro-batches, a first pass computes the forget losses of the whole batch.
    whole = int(method.needs.concept_balance)
    return Passes(max(1, step.with_gradient), step.without_gradient + whole)


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


def _random() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return log_softmax(torch.rand(2, TOKENS, VOCABULARY, generator=generator), dim=-1)
