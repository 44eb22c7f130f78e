"""Attacks that optimise pixels by the gradient of a system's own loss."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.attacks.attack import Around, Attack
from kit.benchmarks.records import Record
from kit.experiment.options import COUNT, require

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class PixelAttack(Attack, ABC):
    """Other pictures for each system; the questions stay as they are.

    With `universal`, one pattern is added to all pictures, which must have one size.
    """

    universal: bool = False
    steps: int = 20
    """Gradients of each picture, >= 1. The kit's own default."""

    def __post_init__(self) -> None:
        """Check the options."""
        require(self, steps=COUNT)

    def applies(self, record: Record, level: float, around: Around) -> bool:
        """Return whether a record has a picture."""
        return record.image is not None

    @property
    def reach(self) -> float:
        """Return the largest level that its steps can use; infinite where any is."""
        return math.inf

    def reaches(self, level: float) -> bool:
        """Return whether its steps can change a picture by as much as a level allows."""
        return level <= self.reach * (1 + 1e-9)  # ten steps of 0.1 are a change of 1

    @abstractmethod
    def optimise(
        self,
        pictures: "Tensor",
        first: "Tensor",
        gradient: "Callable[[Tensor], Tensor]",
        level: float,
    ) -> "Tensor":
        """Return optimised pictures, [B, 3, H, W] in [0, 1].

        Args:
            pictures: those to change, of the same shape.
            first: the change to begin with, [B, 3, H, W], or [1, 3, H, W] for one pattern.
            gradient: from pictures to the gradient of each one's loss, of the same shape.
            level: of the attack.
        """
