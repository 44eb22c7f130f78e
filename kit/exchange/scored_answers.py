"""The answers of a system with the score of each column's headline metric."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kit.benchmarks.records import Record
from kit.exchange.exported import Exported
from kit.metrics.definition import Definition
from kit.metrics.record_sets import RecordSet
from kit.result.run_file import System


@dataclass(frozen=True)
class ScoredAnswer:
    """An answer in one column, and the value of the column's headline metric for it.

    `stop` says why generation ended: eos or length.
    """

    place: RecordSet
    metric: Definition
    record: Record
    text: str
    stop: str
    score: float

    @property
    def column(self) -> str:
        """Return the column with its table and part: target/part/column."""
        return f"{self.place.target}/{self.place.part}/{self.place.column}"


def scored_answers(exported: Exported, system: System) -> Iterator[ScoredAnswer]:
    """Yield every answer of a system, once for each column that it belongs to.

    An answer that the metric does not exist for is left out.
    """
    measured = exported.measured
    answers = exported.answers_of(system["name"])
    for place in measured.groups:
        if system["target"] not in (None, place.target):
            continue
        metric = measured.scores.definitions[place.headline]
        if metric.retired or not place.ids:
            continue
        scores = measured.scores.of(system["name"], metric.name, place.ids)
        for name, score in zip(place.ids, scores, strict=True):
            if not np.isnan(score):
                record = measured.scores.records[name]
                yield ScoredAnswer(place, metric, record, *answers[name], float(score))
