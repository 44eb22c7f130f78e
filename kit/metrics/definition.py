"""A metric: a versioned definition that measures one answer against one record."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kit.benchmarks.records import Column, Concept, Record

FORGOTTEN = frozenset({Column.EFFICACY, Column.GENERALITY, Column.REWORDED})


class Likelihood(NamedTuple):
    """The likelihood of one given answer to a record's question.

    `role` is "answer" (the reference), "paraphrase" or "candidate". `logprob` is the sum over its
    `tokens`, in nats. For a letter of a multiple choice, only the first token counts.
    """

    role: str
    text: str
    logprob: float
    tokens: int


class GivenTokens(NamedTuple):
    """The tokens of one given answer, the end token last; arrays are [tokens].

    `logprobs`, `entropies` and `deviations` are in nats (`kit.model.token_statistics`). Rank 1 is
    the likeliest token. `zlib_bytes` is the size of the compressed text.
    """

    role: str
    text: str
    zlib_bytes: int
    logprobs: np.ndarray
    ranks: np.ndarray
    entropies: np.ndarray
    deviations: np.ndarray


class StoredAnswer(NamedTuple):
    """One generated answer, why generation stopped ("eos" or "length"), and given answers.

    `tokens` is empty where the manifest does not ask for them. `read` is the mean log-probability
    of the answer's tokens under Vanilla, in nats; None where Vanilla did not read it. `judged` is
    the judge's value in [0, 1]; None where there is no judge.
    """

    text: str
    stop: str
    likelihoods: tuple[Likelihood, ...] = ()
    tokens: tuple[GivenTokens, ...] = ()
    read: float | None = None
    judged: float | None = None


Measure = Callable[[StoredAnswer, Record], float | None]


@dataclass(frozen=True)
class Definition:
    """One metric.

    `version` rises whenever a stored answer could get another value. The earlier definition stays,
    because stored results name it (`kit.metrics.versions`). `since` is the version of the kit that
    first measured the metric. `retired` is the reason why a version is no longer computed, or "";
    the `measure` of a retired version is never called.

    `measure` returns a value in [0, 1], or None if the metric does not exist for this answer and
    record; `absent` is the reason. The value of a set is the mean over its answers. With `weight`
    it is a weighted mean: a ratio of sums such as F1. `better` is the better direction for a
    concept that is kept. `turns` marks metrics of knowledge: for a concept that is forgotten, the
    opposite direction is better.

    `among` is for a metric that depends on the other records of the result as well: it takes all
    records by id and returns the measure, and `measure` is then the one among no records.
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
    among: Callable[[Mapping[str, Record]], Measure] | None = None
    since: str = "0.1.0"
    retired: str = ""

    @property
    def id(self) -> str:
        """Return `name/version`, the name under which values are stored and printed."""
        return f"{self.name}/{self.version}"

    @property
    def unit(self) -> str:
        """Return the printed unit; stored values are always shares in [0, 1]."""
        return "%" if self.percent else "0-1"

    def knowledge(self, values: np.ndarray) -> np.ndarray:
        """Return [n] values of a metric of knowledge, so that higher means known."""
        return values if self.better == "higher" else 1.0 - values

    def better_in(self, column: Column) -> str:
        """Return the better direction in a column: "higher", "lower", or "" for neither."""
        if self.turns and column in FORGOTTEN:
            return {"higher": "lower", "lower": "higher"}[self.better]
        return self.better
