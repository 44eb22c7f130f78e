"""Equally many person and event records in every step."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest

import torch
from torch import Tensor

from kit.benchmarks.records import Concept, Record
from kit.training.preparation.base import Preparation
from kit.training.sampling import Drawn, Draws, Pool


class ConceptBalance(Preparation):
    """Draws balanced steps and prepares `step.forget_is_person`, [B]."""

    def draw(self, forget: tuple[Record, ...], draws: Draws) -> Draws:
        return Balanced("forget", forget, self.context.seed)

    def values(self, records: Mapping[str, Sequence[Record]]) -> Mapping[str, Tensor]:
        is_person = [float(record.concept is Concept.PERSON) for record in records["forget"]]
        return {"forget_is_person": torch.tensor(is_person, device=self.context.device)}


class Balanced:
    """Draws equally many records of each concept per step, from one pool per concept.

    The concepts are interleaved, so that the micro-batches of a step are balanced too.
    """

    def __init__(self, name: str, records: Sequence[Record], seed: int) -> None:
        self._pools = [
            Pool(f"{name}/{concept}", tuple(chosen), seed)
            for concept in Concept
            if (chosen := [record for record in records if record.concept is concept])
        ]

    def take(self, step: int, count: int) -> list[Drawn]:
        """Return the records of one step, each with its epoch."""
        shares = []
        for index, pool in enumerate(self._pools):
            share = count // len(self._pools) + (index < count % len(self._pools))
            shares.append(pool.take(step, share))
        turns = zip_longest(*shares)
        return [drawn for turn in turns for drawn in turn if drawn is not None]


PREPARATION = ConceptBalance
