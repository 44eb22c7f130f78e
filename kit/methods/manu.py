"""Modality-aware neuron unlearning (MANU, arXiv 2502.15910): prune neurons, train nothing.

In each view, with and without images, a neuron's score is
sum_k w_k (I_k(D_f) / (I_k(D_r) + 1e-5) - 1). I_k: mean absolute value, share above 0.1, standard
deviation, root mean square of its activation. The highest scores of either view are removed. The
kit's own choices: neurons of the language model alone (the vision tower is frozen), in all layers;
activations where answer tokens are predicted, with equal weight for each record; a retain record
beside each. The paper's code was not found. Defaults: Open-MMunlearning's trainer/unlearn/manu.py.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from kit.errors import TrainingError
from kit.methods import Needs, Step
from kit.methods.neurons import highest, importances
from kit.methods.options import NOT_NEGATIVE, SHARE, require


@dataclass(frozen=True)
class MANU:
    """Remove the neurons that matter for D_f more than for D_r."""

    share: float = 0.05
    """Share of all neurons that each view removes, in (0, 1]. Default: of the grid there."""
    absolute: float = 2.0
    """Weight of the mean absolute activation, >= 0, no unit. So are the others."""
    frequency: float = 0.0
    """Weight of the share of activations above 0.1."""
    deviation: float = 2.0
    """Weight of the standard deviation."""
    square: float = 2.0
    """Weight of the root mean square."""
    needs: ClassVar[Needs] = Needs(retain=True, text_view=True, neurons=True, training_free=True)

    def __post_init__(self) -> None:
        require(self, share=SHARE, absolute=NOT_NEGATIVE, frequency=NOT_NEGATIVE,
                deviation=NOT_NEGATIVE, square=NOT_NEGATIVE)  # fmt: skip

    def neurons(self, steps: Iterable[Step]) -> dict[str, list[int]]:
        """Return the neurons that either view removes."""
        weights = torch.tensor([self.absolute, self.frequency, self.deviation, self.square])
        removed: dict[str, list[int]] = {}
        for forget, retain in (("forget", "retain"), ("text", "retain_text")):
            asked, kept = importances(steps, forget), importances(steps, retain)
            scores = {p: weights @ (own / (kept[p] + 1e-5) - 1).cpu() for p, own in asked.items()}
            count = max(1, int(self.share * sum(map(len, scores.values()))))
            for path, numbers in highest(scores, count).items():
                removed[path] = [*removed.get(path, []), *numbers]
        return removed

    def loss(self, step: Step) -> Tensor:
        raise TrainingError(
            "method 'manu' trains nothing",
            expected="a method with a loss",
            found="one that removes neurons",
            remedy="train another method",
        )


METHOD = MANU
