"""Balanced gradient difference, for forgetting people and events at once.

PEBench (arXiv 2503.12545) proposes BGD, but no public copy contains its equation, weight rule or
schedule. This is the kit's own reconstruction from the description (balance the data between the
two tasks, give each task its own loss). It is not the published method:

    L = -gamma sum_c w_c E_f^c[M] + alpha E_r[M],   w_c = C softmax_c(-tau (M_c - M_c(theta_0)))

over the C = 2 concepts. The concept that has been forgotten less gets more weight, and every step
has equally many person and event records.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from kit.methods import Needs, Step
from kit.methods.options import NOT_NEGATIVE, require


def balanced_ascent(step: Step, temperature: float) -> Tensor:
    """Return sum_c w_c E_f^c[M], in nats per token, [].

    A concept without a record in the batch is left out.

    Args:
        temperature: tau, >= 0, per nat; 0 weighs all concepts equally.
    """
    means, gained = step.forget_by_concept()
    weights = len(means) * torch.softmax(-temperature * gained, dim=0)
    return (weights * means).sum()


@dataclass(frozen=True)
class BalancedGradDiff:
    """Gradient difference that keeps the forget losses of both concepts at the same level."""

    temperature: float = 1.0
    """tau, >= 0, per nat: how strongly the concept that is forgotten less is preferred. At 0 only
    the balanced batches remain. Default: the kit's choice."""
    forget_weight: float = 0.5
    """Weight gamma of the forget term, >= 0, no unit. Default: 1/C, the scale of GD's mean."""
    retain_weight: float = 1.0
    """Weight alpha of the retain term, >= 0, no unit. Default: as in `grad_diff`."""
    needs: ClassVar[Needs] = Needs(retain=True, reference_scalars=True, concept_balance=True)

    def __post_init__(self) -> None:
        require(self, temperature=NOT_NEGATIVE)
        require(self, forget_weight=NOT_NEGATIVE, retain_weight=NOT_NEGATIVE)

    def loss(self, step: Step) -> Tensor:
        forget = -balanced_ascent(step, self.temperature)
        return self.forget_weight * forget + self.retain_weight * step.retain_nll().mean()


METHOD = BalancedGradDiff
