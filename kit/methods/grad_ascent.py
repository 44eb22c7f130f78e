"""Gradient ascent (GA): L = -E_f[M]. The loss has no lower bound: use the manifest's stop rule."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from kit.methods import Needs, Step


@dataclass(frozen=True)
class GradAscent:
    """Make the answers of D_f less likely; nothing protects other answers. It has no options."""

    needs: ClassVar[Needs] = Needs()

    def loss(self, step: Step) -> Tensor:
        return -step.forget_nll().mean()


METHOD = GradAscent
