"""What a metric is: a versioned definition that measures one answer against one record."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from kit.benchmarks.records import Column, Concept, Record

FORGOTTEN = frozenset({Column.EFFICACY, Column.GENERALITY})


class Likelihood(NamedTuple):
    """How likely a model finds one given answer to a record's question.

    `role` is "answer" (the reference), "paraphrase" or "candidate"; `logprob` is the sum over its
    `tokens` in nats. A letter of a choice has one token, the first.
    """

    role: str
    text: str
    logprob: float
    tokens: int


class Answer(NamedTuple):
    """One generated answer, why generation stopped ("eos" or "length"), and likelihoods if any."""

    text: str
    stop: str
    likelihoods: tuple[Likelihood, ...] = ()


Measure = Callable[[Answer, Record], float | None]


@dataclass(frozen=True)
class Definition:
    """One metric.

    `version` rises whenever a stored answer could get another value; the earlier definition stays,
    because stored results name it (`kit.metrics.versions`). `since` is the version of the kit that
    first measured the metric. `retired` says why a version is no longer computed, if it is not;
    its `measure` is never called. `measure` returns a value in
    [0, 1], or None where the metric does not exist for this answer and record; `absent` says when
    that is. The value of a set is the mean over its answers, weighted by `weight` where there is
    one: a ratio of sums such as F1. `better` holds where the concept is to be kept; `turns` marks
    metrics of knowledge, whose better direction turns round in the columns of what is to be
    forgotten.
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
    weight: Measure | None = None
    since: str = "0.1.0"
    retired: str = ""

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
