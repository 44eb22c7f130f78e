"""Balanced KL minimisation: the balanced forget terms of `balanced_grad_diff`, KL on D_r.

PEBench's KL+BGD; the balance is the kit's reconstruction (see `balanced_grad_diff`).
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from kit.methods import Needs, Step
from kit.methods.balanced_grad_diff import balanced_ascent
from kit.model.likelihood import mean_kl


@dataclass(frozen=True)
class BalancedKLMin:
    """KL minimisation whose two forget terms are kept level."""

    temperature: float = 1.0
    forget_weight: float = 0.5
    retain_weight: float = 1.0
    needs: ClassVar[Needs] = Needs(
        retain=True, reference_scalars=True, reference_distribution=True, concept_balance=True
    )

    def loss(self, step: Step) -> Tensor:
        forget = -balanced_ascent(step, self.temperature)
        batch = step.retain
        assert batch is not None
        divergence = mean_kl(step.reference(batch), step.policy(batch), batch.answer_mask)
        step.log["retain_kl"] = float(divergence.detach().mean())
        return self.forget_weight * forget + self.retain_weight * divergence.mean()


METHOD = BalancedKLMin
