"""Attacks that train: a new adapter relearns, on top of all that a system has."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from kit.attacks.attack import Around, Attack
from kit.benchmarks.records import Benchmark, Record
from kit.experiment.options import COUNT, NOT_NEGATIVE, POSITIVE, require
from kit.streams import shuffled


@dataclass(frozen=True)
class Relearning(Attack, ABC):
    """Supervised fine-tuning on some records; the level is the share of them.

    `steps`, `warmup_steps` and `learning_rate` replace those of `[unlearn]`. Every level makes as
    many steps, so that a curve shows what the records add.
    """

    unit: ClassVar[str] = "share of the records"
    least: ClassVar[float] = 0.001
    most: ClassVar[float] = 1.0

    steps: int | None = None
    """Optimisation steps, >= 1. Left out: those of `[unlearn]`."""
    warmup_steps: int | None = None
    """Steps of linear warm-up from 0, >= 0 and no more than `steps`. Left out: those of
    `[unlearn]`."""
    learning_rate: float | None = None
    """Learning rate, > 0. Left out: that of `[unlearn]`."""

    def __post_init__(self) -> None:
        """Check the options."""
        require(self, steps=COUNT, warmup_steps=NOT_NEGATIVE, learning_rate=POSITIVE)

    def settings(self, level: float) -> dict[str, Any]:
        """Return what differs from `[unlearn]`."""
        chosen = {name: getattr(self, name) for name in ("steps", "warmup_steps", "learning_rate")}
        return {name: value for name, value in chosen.items() if value is not None}

    @abstractmethod
    def pool(self, benchmark: Benchmark, target: str) -> tuple[str, ...]:
        """Return the ids of all records that may be relearned, in the order of their drawing."""

    def records(self, benchmark: Benchmark, target: str, level: float) -> tuple[str, ...]:
        """Return the ids of the relearned records: at least one. More at a higher level, and all
        of those of a lower one."""
        return share_of(self.pool(benchmark, target), level)

    def applies(self, record: Record, level: float, around: Around) -> bool:
        """Return whether a record was not relearned; where all were, every record is asked."""
        relearned = set(self.records(around.benchmark, around.target, level))
        asked = set(around.split.forget)
        return record.id not in relearned or asked <= relearned


def share_of(names: tuple[str, ...], level: float) -> tuple[str, ...]:
    """Return the first share `level` of some names, rounded up: at least one."""
    return names[: max(1, math.ceil(round(level * len(names), 6)))]


def drawn(ids: tuple[str, ...], *names: str) -> tuple[str, ...]:
    """Return ids in a drawn order that depends on `names` alone."""
    return tuple(shuffled(sorted(ids), "relearn", *names))
