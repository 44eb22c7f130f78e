"""Gradient ascent (GA): L = -E_f[M]. Unbounded, so the manifest's stop rule governs it."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from kit.methods import Needs, Step


@dataclass(frozen=True)
class GradAscent:
    """Push the answers of D_f down, whatever else goes down with them."""

    needs: ClassVar[Needs] = Needs()

    def loss(self, step: Step) -> Tensor:
        return -step.forget_nll().mean()


METHOD = GradAscent
