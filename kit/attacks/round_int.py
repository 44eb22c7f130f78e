"""Merge, then round to whole numbers (INT8, INT4): does rounding undo the update?

Rounding is to the nearest, symmetric, with a scale for every group of inputs. DurableUn (arXiv
2605.02196) finds INT8 benign and INT4 not. Groups of 128 inputs are the kit's own choice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from kit.attacks.weights import WeightAttack
from kit.experiment.options import NOT_NEGATIVE, require

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class RoundInt(WeightAttack):
    """Whole numbers in all matrices of the language model."""

    unit: ClassVar[str] = "bits"
    least: ClassVar[float] = 2
    most: ClassVar[float] = 8
    whole: ClassVar[bool] = True

    group: int = 128
    """Inputs that share a scale, >= 0; 0: all inputs of an output."""

    def __post_init__(self) -> None:
        """Check the options."""
        require(self, group=NOT_NEGATIVE)

    def weights(self, merged: Mapping[str, "Tensor"], level: float) -> dict[str, "Tensor"]:
        from kit.model.rounding import is_rounded, round_int

        return {
            name: round_int(each, int(level), self.group)
            for name, each in merged.items()
            if is_rounded(name, each)
        }


ATTACK = RoundInt
