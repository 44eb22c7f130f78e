"""What a gradient rule sees: the gradients of one batch, and what the method keeps between steps.

A method with such a rule declares it in its `needs`:

- `gradient_rule`: `loss` may return several terms by name; `combine` makes one gradient of theirs.
- `measure`: before the first step, `measure` gives losses of single records, and `begin` makes of
  their statistics what is kept.
- `perturbation`: `perturb` moves the weights; the terms of `loss` are computed again there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from torch import Tensor

from kit.methods.gradient import Gradient
from kit.methods.step import Method, Step

MEASURED = 256
"""Records that are measured at most, in the order of the first epoch. The kit's choice."""


@dataclass
class State:
    """What a method keeps between optimiser steps; a checkpoint holds it.

    Replace the entries, and do not change their tensors in place: a step that fails is undone.
    """

    numbers: dict[str, float] = field(default_factory=dict)
    """Single numbers by name."""
    weights: dict[str, Gradient] = field(default_factory=dict)
    """Tensors for the trained weights by name: a mean of gradients, a mask, a factor each."""

    def copy(self) -> "State":
        """Return a copy whose entries can be replaced."""
        return State(dict(self.numbers), dict(self.weights))


@dataclass(frozen=True)
class Measured:
    """One loss of `measure` at theta_0, over N single records."""

    loss: float
    """Mean of the loss, in its own unit."""
    mean: Gradient
    """Mean of the records' gradients; zero where the loss has none."""
    square: Gradient
    """Mean of the squares of the records' gradients: the diagonal of the empirical Fisher."""


@dataclass
class Update:
    """One optimiser step before it is made; `combine` reads it and may set `state` and `mask`."""

    gradients: Mapping[str, Gradient]
    """Term of the loss -> its gradient over the whole batch, in float32, not clipped. Weights that
    a term does not reach have zeros. A loss that is one scalar is the term `loss`."""
    losses: Mapping[str, float]
    """Term -> its mean over the batch, in nats."""
    state: State
    """What earlier steps have kept; empty at first, or what `begin` has returned."""
    perturbed: Mapping[str, Gradient] = field(default_factory=dict)
    """As `gradients`, where `perturb` has moved the weights; empty without `perturbation`."""
    mask: Gradient | None = None
    """True where a weight may move, for each value or for a whole tensor, []. The others keep their
    value, whatever AdamW's momentum and weight decay say. None: all may move."""
    log: dict[str, float] = field(default_factory=dict)
    """Numbers of this step for losses.jsonl."""


@runtime_checkable
class GradientRule(Method, Protocol):
    """A method that declares `gradient_rule`."""

    def combine(self, update: Update) -> Gradient:
        """Return the gradient that the optimiser applies, before clipping."""
        ...


@runtime_checkable
class Measuring(Method, Protocol):
    """A method that declares `measure`."""

    def measure(self, step: Step) -> Mapping[str, Tensor]:
        """Return scalar losses of a step of one record; those without gradient cost no backward."""
        ...

    def begin(self, measured: Mapping[str, Measured]) -> State:
        """Return what is kept from the start on."""
        ...


@runtime_checkable
class Perturbing(Method, Protocol):
    """A method that declares `perturbation`."""

    def perturb(self, gradients: Mapping[str, Gradient]) -> Gradient:
        """Return by how much to move the weights before the terms are computed again."""
        ...


PARTS = {
    "gradient_rule": ("combine",),
    "measure": ("measure", "begin"),
    "perturbation": ("perturb", "combine"),
}
"""Need -> the functions that a method with it defines, each with one argument."""
