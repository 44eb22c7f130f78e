"""A random direction in the space of hidden states, one for each job."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from kit.benchmarks.records import Record
from kit.streams import stream
from kit.training.preparation.base import Context, Preparation


class HiddenStates(Preparation):
    """Prepares `step.direction`."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        config: Any = context.model.config
        width = int(config.get_text_config().hidden_size)
        self._direction = direction(width, context.seed).to(context.device)

    def values(self, records: Mapping[str, Sequence[Record]]) -> Mapping[str, Tensor]:
        return {"direction": self._direction}


def direction(width: int, seed: int) -> Tensor:
    """Return a unit vector whose entries are drawn uniformly from [0, 1) and scaled, [width].

    Source: RMU (arXiv 2403.03218), section 4, whose code draws with `torch.rand`.
    """
    drawn = stream("direction", seed)
    vector = torch.tensor([drawn.random() for _ in range(width)], dtype=torch.float64)
    return vector.div(vector.norm()).float()


PREPARATION = HiddenStates
