"""Every answer measured once: system x record x metric. Joined by record id, never by position."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from kit.benchmarks.records import Concept, Record
from kit.errors import DataError
from kit.metrics import DEFINITIONS
from kit.metrics.definition import Definition, StoredAnswer
from kit.metrics.judgement import Judgement, read_judged
from kit.metrics.readings import OF_READ, OF_TOKENS, READINGS
from kit.metrics.stored_answers import (
    REMEDY,
    read_likelihoods,
    read_records,
    read_tokens,
    require_complete,
    require_joinable,
    require_read,
)
from kit.metrics.system_tables import read_by_vanilla


@dataclass(frozen=True)
class Scores:
    """The values of all answers. NaN means that a metric does not exist for an answer.

    `definitions` are the metrics by name. `rows` and `columns` are the positions of systems and
    records in `answered`, which is [systems, records] bool.

    `values[metric]` is [systems, records of its concepts + 1] float64: most metrics exist for few
    records. `places[concepts]` is [records] int: the position of each record on that second axis.
    All records without such a concept share the last position, which is NaN. `weights` has the same
    shapes and holds the metrics that are weighted means. `readings[name]` is [systems, records]:
    what metrics of a whole system compute with (`kit.metrics.readings`).
    """

    records: Mapping[str, Record]
    definitions: Mapping[str, Definition]
    rows: Mapping[str, int]
    columns: Mapping[str, int]
    places: Mapping[frozenset[Concept], np.ndarray]
    values: Mapping[str, np.ndarray]
    weights: Mapping[str, np.ndarray]
    answered: np.ndarray
    readings: Mapping[str, np.ndarray]

    def of(self, system: str, metric: str, ids: Sequence[str]) -> np.ndarray:
        """Return [len(ids)] values of one system, in the order of `ids`.

        Raises:
            DataError: an answer is missing; the error names the first.
        """
        row, columns = self.rows[system], [self.columns[name] for name in ids]
        if not self.answered[row, columns].all():
            pairs = zip(ids, columns, strict=True)
            first, *more = [name for name, column in pairs if not self.answered[row, column]]
            raise DataError(
                f"system {system} has no answer for record {first}",
                expected="one answer for each record of its sets",
                found=f"{1 + len(more)} records without one",
                remedy=REMEDY,
            )
        return np.asarray(self.values[metric][row, self._places(metric, ids)])

    def has(self, system: str, ids: Sequence[str]) -> bool:
        """Say whether a system has answered all of `ids`."""
        return bool(self.answered[self.rows[system], [self.columns[name] for name in ids]].all())

    def weights_of(self, system: str, metric: str, ids: Sequence[str]) -> np.ndarray | None:
        """Return [len(ids)] weights of a weighted mean; None if all answers have equal weight."""
        if metric not in self.weights:
            return None
        return np.asarray(self.weights[metric][self.rows[system], self._places(metric, ids)])

    def reading(self, system: str, name: str, ids: Sequence[str]) -> np.ndarray:
        """Return [len(ids)] readings of one system, in the order of `ids`; NaN where absent."""
        columns = [self.columns[each] for each in ids]
        return np.asarray(self.readings[name][self.rows[system], columns])

    def _places(self, metric: str, ids: Sequence[str]) -> np.ndarray:
        columns = [self.columns[name] for name in ids]
        return np.asarray(self.places[self.definitions[metric].concepts][columns])


def score_answers(
    records: pd.DataFrame,
    answers: pd.DataFrame,
    likelihoods: pd.DataFrame,
    systems: Iterable[str],
    definitions: Mapping[str, Definition] = DEFINITIONS,
    tokens: pd.DataFrame | None = None,
    read: pd.DataFrame | None = None,
    judgement: Judgement | None = None,
) -> Scores:
    """Measure each answer with every metric that is defined for its record's concept.

    Args:
        records: columns as in records.parquet.
        answers: columns record_id, system, text, stop; in any order.
        likelihoods: columns record_id, system, role, text, logprob, tokens; in any order.
        systems: names of all systems of the result.
        definitions: {name: metric}, by default the newest version of each.
        tokens: columns as in tokens.parquet, in any order; None where there is none.
        read: columns as in read_by_vanilla.parquet, in any order; None where there is none.
        judgement: the judge's replies; None without a judge.

    Raises:
        DataError: an answer occurs twice, or belongs to no known record or system.
    """
    index = read_records(records)
    kinds = (OF_TOKENS, tokens), (OF_READ, read)
    readings = [name for names, table in kinds if table is not None for name in names]
    scores = _empty(index, sorted(systems), definitions, readings)
    names = list(scores.rows)
    require_joinable(answers, index, names)
    likely = read_likelihoods(likelihoods, index, names)
    given = {} if tokens is None else read_tokens(tokens, index, names)
    by_vanilla = read_by_vanilla(read, index, names)
    if read is not None:
        require_read(by_vanilla, answers)
    by_judge = read_judged(judgement, answers, index, names)
    computed = [each for each in definitions.values() if not each.retired]
    computed = [replace(e, measure=e.among(index)) if e.among else e for e in computed]
    defined = {c: [each for each in computed if c in each.concepts] for c in Concept}
    table = answers[["record_id", "system", "text", "stop"]]
    for record_id, system, text, stop in table.itertuples(index=False, name=None):
        record = index[record_id]
        key = system, record_id
        lists = likely.get(key, ()), given.get(key, ())
        answer = StoredAnswer(text, stop, *lists, by_vanilla.get(key), by_judge.get(key))
        require_complete(answer, record, system, each_token=tokens is not None)
        _enter(scores, system, record, answer, defined[record.concept])
    return scores


def _empty(
    records: Mapping[str, Record],
    systems: Sequence[str],
    definitions: Mapping[str, Definition],
    readings: Iterable[str],
) -> Scores:
    """Return scores of the right shapes in which no answer is entered."""
    concepts = {each.concepts for each in definitions.values()}
    of_concepts = {each: _of_concepts(records, each) for each in concepts}
    widths = {each: int(mask.sum()) + 1 for each, mask in of_concepts.items()}
    shapes = {name: (len(systems), widths[each.concepts]) for name, each in definitions.items()}
    return Scores(
        records=records,
        definitions=definitions,
        rows={name: row for row, name in enumerate(systems)},
        columns={name: column for column, name in enumerate(records)},
        places={
            each: np.where(mask, np.cumsum(mask) - 1, mask.sum())
            for each, mask in of_concepts.items()
        },
        values={name: np.full(shape, np.nan) for name, shape in shapes.items()},
        weights={
            name: np.full(shapes[name], np.nan) for name, each in definitions.items() if each.weight
        },
        answered=np.zeros((len(systems), len(records)), dtype=bool),
        readings={name: np.full((len(systems), len(records)), np.nan) for name in readings},
    )


def _of_concepts(records: Mapping[str, Record], concepts: frozenset[Concept]) -> np.ndarray:
    return np.array([record.concept in concepts for record in records.values()], dtype=bool)


def _enter(
    scores: Scores,
    system: str,
    record: Record,
    answer: StoredAnswer,
    definitions: Iterable[Definition],
) -> None:
    row, column = scores.rows[system], scores.columns[record.id]
    scores.answered[row, column] = True
    for definition in definitions:
        value = definition.measure(answer, record)
        if value is not None:
            place = row, scores.places[definition.concepts][column]
            scores.values[definition.name][place] = value
            if definition.weight is not None:
                scores.weights[definition.name][place] = definition.weight(answer, record)
    for name, values in scores.readings.items():
        read = READINGS[name](answer, record)
        if read is not None:
            values[row, column] = read
