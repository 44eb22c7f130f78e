"""Merge, then quantise to NF4: does rounding undo the update?

Zhang et al. (arXiv 2410.16454) find that 4-bit quantisation brings back much of what full models
have unlearned. The merged weights are rounded as the 4-bit base is: blocks of 64, double
quantisation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from kit.attacks.weights import WeightAttack

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class RoundNf4(WeightAttack):
    """NF4 of all matrices of the language model. It has no options, and one level."""

    unit: ClassVar[str] = "bits, always 4"
    least: ClassVar[float] = 4
    most: ClassVar[float] = 4
    whole: ClassVar[bool] = True

    def weights(self, merged: Mapping[str, "Tensor"], level: float) -> dict[str, "Tensor"]:
        from kit.model.rounding import is_rounded, round_nf4

        return {name: round_nf4(each) for name, each in merged.items() if is_rounded(name, each)}


ATTACK = RoundNf4
