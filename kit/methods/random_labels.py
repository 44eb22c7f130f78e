"""Random labels: learn another person's answer to the questions of D_f.

    L = E_f[M(other answer)] + alpha E_r[M]

Relabelling is a baseline of SalUn (arXiv 2310.12508), for classes of images. The kit's label is the
answer that a retain record gives to the same question, drawn again in each epoch. The model is
then wrong in a plausible way, and does not refuse. No loss is computed on the answers of D_f.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from kit.methods import Needs, Step
from kit.methods.options import NOT_NEGATIVE, require


@dataclass(frozen=True)
class RandomLabels:
    """Answer the questions of D_f as for other, retained people or events."""

    retain_weight: float = 1.0
    """Weight alpha of the retain term, >= 0, no unit. Default: the kit's choice, equal weights."""
    needs: ClassVar[Needs] = Needs(retain=True, other_answers=True)

    def __post_init__(self) -> None:
        require(self, retain_weight=NOT_NEGATIVE)

    def loss(self, step: Step) -> Tensor:
        return step.other_nll().mean() + self.retain_weight * step.retain_nll().mean()


METHOD = RandomLabels
