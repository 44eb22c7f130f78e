"""The records of a training step: a pure function of (seed, step), so that resuming is exact."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from kit.benchmarks.records import Record
from kit.experiment.rehearsal import rehearsed
from kit.streams import shuffled

Drawn = tuple[Record, int]
"""A record and the epoch in which it is drawn, from 0."""


class Draws(Protocol):
    """A source of records, step by step."""

    def take(self, step: int, count: int) -> list[Drawn]:
        """Return the `count` records of a step, each with its epoch."""
        ...


@dataclass(frozen=True)
class Pool:
    """Visits all records once per epoch, in an order that changes with the epoch."""

    name: str
    records: tuple[Record, ...]
    seed: int

    def at(self, index: int) -> Drawn:
        """Return the `index`-th record drawn and its epoch."""
        epoch, position = divmod(index, len(self.records))
        return self.records[_order(self.name, self.seed, epoch, len(self.records))[position]], epoch

    def take(self, step: int, count: int) -> list[Drawn]:
        """Return the records of one step, each with its epoch."""
        return [self.at(step * count + offset) for offset in range(count)]


@lru_cache(maxsize=64)
def _order(name: str, seed: int, epoch: int, size: int) -> tuple[int, ...]:
    return tuple(shuffled(range(size), "order", name, seed, epoch))


class Mixed:
    """Takes a fixed share of every step from a second pool.

    Args:
        share: of the records of a step, in [0, 1).
    """

    def __init__(self, main: Draws, second: Draws, share: float) -> None:
        self._main, self._second, self._share = main, second, share

    def take(self, step: int, count: int) -> list[Drawn]:
        """Return the records of one step, each with its epoch."""
        other = rehearsed(count, self._share)
        return self._main.take(step, count - other) + self._second.take(step, other)
