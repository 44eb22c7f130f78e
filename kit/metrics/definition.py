"""What a metric is: a versioned definition that measures one answer against one record."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from kit.records import Column, Concept, Record

FORGOTTEN = frozenset({Column.EFFICACY, Column.GENERALITY})


class Answer(NamedTuple):
    """One generated answer and why generation stopped: "eos" or "length"."""

    text: str
    stop: str


Measure = Callable[[Answer, Record], float | None]


@dataclass(frozen=True)
class Definition:
    """One metric.

    `version` rises whenever a stored answer could get another value. `measure` returns a value in
    [0, 1], or None where the metric does not exist for this answer and record; `absent` says when
    that is. `better` holds where the concept is to be kept; `turns` marks metrics of knowledge,
    whose better direction turns round in the columns of what is to be forgotten.
    """

    name: str
    version: int
    sentence: str
    measure: Measure
    concepts: frozenset[Concept]
    absent: str
    better: str = ""
    turns: bool = False
    percent: bool = False

    @property
    def id(self) -> str:
        """Return `name/version`, the name under which values are stored and printed."""
        return f"{self.name}/{self.version}"

    @property
    def unit(self) -> str:
        """Return how tables print the value; stored values are shares in [0, 1] in any case."""
        return "%" if self.percent else "0-1"

    def better_in(self, column: Column) -> str:
        """Return "higher", "lower", or "" where neither is better, for one column."""
        if self.turns and column in FORGOTTEN:
            return {"higher": "lower", "lower": "higher"}[self.better]
        return self.better
