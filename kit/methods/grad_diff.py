"""Gradient difference (GD): L = -gamma E_f[M] + alpha E_r[M], both terms in one step."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from kit.methods import Needs, Step


@dataclass(frozen=True)
class GradDiff:
    """Ascend on D_f and descend on D_r."""

    forget_weight: float = 1.0
    """Weight gamma of the forget term, >= 0, no unit. Default: open-unlearning's
    configs/trainer/GradDiff.yaml."""
    retain_weight: float = 1.0
    """Weight alpha of the retain term, >= 0, no unit. Default: open-unlearning's GradDiff.yaml."""
    needs: ClassVar[Needs] = Needs(retain=True)

    def loss(self, step: Step) -> Tensor:
        forget = -step.forget_nll().mean()
        return self.forget_weight * forget + self.retain_weight * step.retain_nll().mean()


METHOD = GradDiff
