"""Balanced gradient difference, for forgetting people and events at once.

PEBench proposes BGD, but its equation, weight rule and schedule could not be found in any public
copy. This is the kit's own reconstruction of what is said about it (balance the data between the
two tasks, give each task its own loss), and not the published method:

    L = -gamma sum_c w_c E_f^c[M] + alpha E_r[M],   w_c = C softmax_c(-tau (M_c - M_c(theta_0)))

over the C = 2 concepts: the concept that has been forgotten less gets more weight, and every step
has as many person as event records. gamma = 1/2 keeps the sum on the scale of GD's mean; with
tau = 0 only the balanced batches remain.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from kit.methods import Needs, Step


def balanced_ascent(step: Step, temperature: float) -> Tensor:
    """Return sum_c w_c E_f^c[M], a scalar; a concept without a record in the step is left out."""
    assert step.forget is not None
    assert step.forget_is_person is not None
    assert step.forget_reference is not None
    nll = step.forget_nll()
    start = -step.forget_reference / step.forget.answer_mask.sum(dim=1)
    groups = [
        mask for mask in (step.forget_is_person > 0, step.forget_is_person == 0) if mask.any()
    ]
    means = torch.stack([nll[mask].mean() for mask in groups])
    gained = torch.stack([(nll.detach() - start)[mask].mean() for mask in groups])
    weights = len(groups) * torch.softmax(-temperature * gained, dim=0)
    return (weights * means).sum()


@dataclass(frozen=True)
class BalancedGradDiff:
    """Gradient difference whose two forget terms are kept level."""

    temperature: float = 1.0
    forget_weight: float = 0.5
    retain_weight: float = 1.0
    needs: ClassVar[Needs] = Needs(retain=True, reference_scalars=True, concept_balance=True)

    def loss(self, step: Step) -> Tensor:
        forget = -balanced_ascent(step, self.temperature)
        return self.forget_weight * forget + self.retain_weight * step.retain_nll().mean()


METHOD = BalancedGradDiff
