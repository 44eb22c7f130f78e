"""A metric of one system in one part of a target: what is no mean over its answers.

It compares sets of records, or the system with Vanilla or Retain-only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kit.benchmarks.records import Column
from kit.experiment.systems import RETAIN_ONLY, VANILLA
from kit.metrics.intervals import Intervals
from kit.metrics.record_sets import Measured, RecordSet
from kit.metrics.statistics import Estimate
from kit.result.run_file import System

ALL = "all"  # the column of a metric that belongs to no single one


class Absent(NamedTuple):
    """There is no value, for this reason."""

    reason: str


@dataclass(frozen=True)
class SystemPart:
    """One system, one part of one target, and all that is measured."""

    system: System
    target: str
    part: str
    measured: Measured
    intervals: Intervals

    @property
    def name(self) -> str:
        """Return the system's name."""
        return self.system["name"]

    @property
    def retain_only(self) -> str | None:
        """Return the name of the Retain-only model of this target; None if there is none."""
        return self._role(RETAIN_ONLY)

    @property
    def vanilla(self) -> str | None:
        """Return the name of the Vanilla model; None if there is none."""
        return self._role(VANILLA)

    def records(self, column: Column, part: str | None = None) -> RecordSet | None:
        """Return the records of a column; None where it has none."""
        wanted = (self.target, part or self.part, column)
        for each in self.measured.groups:
            if (each.target, each.part, each.column) == wanted and each.ids:
                return each
        return None

    def knowledge(self, name: str, place: RecordSet) -> np.ndarray:
        """Return [n] how well a system knows each record: 1 if it does, by the column's metric."""
        scores = self.measured.scores
        values = scores.of(name, place.headline, place.ids)
        return scores.definitions[place.headline].knowledge(values)

    def _role(self, method: str) -> str | None:
        for system in self.measured.systems:
            if system["method"] == method and system["target"] in (None, self.target):
                return system["name"]
        return None


@dataclass(frozen=True)
class SystemMetric:
    """One metric of a whole system; `version`, `since` and `better` are as of a `Definition`.

    `measure` gets the system and one of `columns`, and returns a value with `n`, or why there is
    none. `columns` is (None,) for a metric that belongs to no single column.
    """

    name: str
    version: int
    sentence: str
    measure: Callable[[SystemPart, Column | None], Estimate | Absent]
    unit: str = "0-1"
    better: str = ""
    columns: tuple[Column | None, ...] = (None,)
    since: str = "0.5.0"

    @property
    def id(self) -> str:
        """Return `name/version`, the name under which values are stored and printed."""
        return f"{self.name}/{self.version}"
