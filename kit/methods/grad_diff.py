"""Gradient difference (GD): L = -gamma E_f[M] + alpha E_r[M], both in one step.

Defaults are those of open-unlearning's GradDiff configuration (gamma = alpha = 1).
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from kit.methods import Needs, Step


@dataclass(frozen=True)
class GradDiff:
    """Ascend on D_f while descending on D_r."""

    forget_weight: float = 1.0
    retain_weight: float = 1.0
    needs: ClassVar[Needs] = Needs(retain=True)

    def loss(self, step: Step) -> Tensor:
        forget = -step.forget_nll().mean()
        return self.forget_weight * forget + self.retain_weight * step.retain_nll().mean()


METHOD = GradDiff
