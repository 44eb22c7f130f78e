"""Attacks that change the weights of the whole model after all of its adapters are merged.

What is rounded before the update is added does not round the update: adapters on a quantised base
keep it whole. So the weights are merged first.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.attacks.attack import Attack

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class WeightAttack(Attack, ABC):
    """Another set of weights; the questions stay as they are."""

    @abstractmethod
    def weights(self, merged: Mapping[str, "Tensor"], level: float) -> dict[str, "Tensor"]:
        """Return the weights that differ.

        Args:
            merged: all weights of the merged model, by the names of its checkpoint.
            level: of the attack.
        """
