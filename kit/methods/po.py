"""Preference optimisation (PO; IDK in TOFU, arXiv 2401.06121).

L = E_f[M(refusal)] + alpha E_r[M].
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from kit.methods import Needs, Step


@dataclass(frozen=True)
class PO:
    """Learn to refuse the questions of D_f; no loss is computed on their answers."""

    retain_weight: float = 1.0
    """Weight alpha of the retain term, >= 0, no unit. Default: TOFU's sum of both losses."""
    needs: ClassVar[Needs] = Needs(retain=True, refusals=True)

    def loss(self, step: Step) -> Tensor:
        return step.refusal_nll().mean() + self.retain_weight * step.retain_nll().mean()


METHOD = PO
