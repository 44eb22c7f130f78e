"""Balanced KL minimisation: the balanced forget terms of `balanced_grad_diff`, KL on D_r.

L = -gamma sum_c w_c E_f^c[M] + alpha E_r[mean_t KL(pi_0 || pi)], the counterpart of PEBench's
KL+BGD. The balance is the kit's own reconstruction: see `balanced_grad_diff`.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from kit.methods import Needs, Step
from kit.methods.balanced_grad_diff import balanced_ascent
from kit.methods.options import NOT_NEGATIVE, require
from kit.model.likelihood import mean_kl


@dataclass(frozen=True)
class BalancedKLMin:
    """KL minimisation that keeps the forget losses of both concepts at the same level."""

    temperature: float = 1.0
    """tau, >= 0, per nat. Meaning and default: as in `balanced_grad_diff`."""
    forget_weight: float = 0.5
    """Weight gamma of the forget term, >= 0, no unit. Default: as in `balanced_grad_diff`."""
    retain_weight: float = 1.0
    """Weight alpha of the divergence, >= 0, no unit. Default: as in `kl_min`."""
    needs: ClassVar[Needs] = Needs(
        retain=True, reference_scalars=True, reference_distribution=True, concept_balance=True
    )

    def __post_init__(self) -> None:
        require(self, temperature=NOT_NEGATIVE)
        require(self, forget_weight=NOT_NEGATIVE, retain_weight=NOT_NEGATIVE)

    def loss(self, step: Step) -> Tensor:
        forget = -balanced_ascent(step, self.temperature)
        batch = step.retain
        divergence = mean_kl(step.reference(batch), step.policy(batch), batch.answer_mask)
        step.log["retain_kl"] = float(divergence.detach().mean())
        return self.forget_weight * forget + self.retain_weight * divergence.mean()


METHOD = BalancedKLMin
