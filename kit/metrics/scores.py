"""Every answer measured once: system x record x metric. Joined by record id, never by position."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kit.errors import DataError
from kit.metrics import DEFINITIONS
from kit.metrics.definition import Answer
from kit.records import Concept, Record

STOPS = ("eos", "length")
REMEDY = "run `evaluate` again for this result, or restore answers/answers.parquet"


@dataclass(frozen=True)
class Scores:
    """Values of all answers. NaN stands for "this metric does not exist for this answer".

    `values[metric]` is [systems, records] float64 and `answered` [systems, records] bool; `rows`
    and `columns` say where a system and a record stand in them.
    """

    records: Mapping[str, Record]
    rows: Mapping[str, int]
    columns: Mapping[str, int]
    values: Mapping[str, np.ndarray]
    answered: np.ndarray

    def of(self, system: str, metric: str, ids: Sequence[str]) -> np.ndarray:
        """Return [len(ids)] values of one system, in the order of `ids`.

        Raises:
            DataError: an answer is missing; the first is named.
        """
        row, columns = self.rows[system], [self.columns[name] for name in ids]
        if not self.answered[row, columns].all():
            first = next(n for n, c in zip(ids, columns, strict=True) if not self.answered[row, c])
            raise DataError(
                f"system {system} has no answer for record {first}",
                expected="one answer for each record of its sets",
                remedy=REMEDY,
            )
        return self.values[metric][row, columns]


def score_answers(records: pd.DataFrame, answers: pd.DataFrame, systems: Iterable[str]) -> Scores:
    """Measure each answer with every metric that is defined for its record's concept.

    Args:
        records: columns as in records.parquet.
        answers: columns record_id, system, text, stop; in any order.
        systems: names of all systems of the result.

    Raises:
        DataError: an answer is doubled, or belongs to no known record or system.
    """
    index = read_records(records)
    rows = {name: place for place, name in enumerate(sorted(systems))}
    columns = {name: place for place, name in enumerate(index)}
    _check(answers, index, list(rows))
    shape = (len(rows), len(columns))
    values = {metric: np.full(shape, np.nan) for metric in DEFINITIONS}
    answered = np.zeros(shape, dtype=bool)
    defined = {c: [d for d in DEFINITIONS.values() if c in d.concepts] for c in Concept}
    table = answers[["record_id", "system", "text", "stop"]]
    for record_id, system, text, stop in table.itertuples(index=False, name=None):
        record, place = index[record_id], (rows[system], columns[record_id])
        answered[place] = True
        for definition in defined[record.concept]:
            value = definition.measure(Answer(text, stop), record)
            if value is not None:
                values[definition.name][place] = value
    return Scores(index, rows, columns, values, answered)


def read_records(records: pd.DataFrame) -> dict[str, Record]:
    """Return the records of a result by id, in id order.

    Raises:
        DataError: an id occurs twice, or a concept is none of the kit's.
    """
    index: dict[str, Record] = {}
    for row in records.sort_values("id", kind="stable").itertuples(index=False):
        if row.id in index:
            raise DataError(f"record {row.id} occurs twice in records.parquet", remedy=REMEDY)
        if row.concept not in set(Concept):
            raise DataError(
                f"record {row.id} has an unknown concept",
                expected=", ".join(Concept), found=row.concept, remedy=REMEDY,
            )  # fmt: skip
        index[row.id] = Record(
            row.id, Concept(row.concept), row.question, row.answer,
            person=row.person, event=row.event, keywords=tuple(row.keywords),
        )  # fmt: skip
    return index


def _check(answers: pd.DataFrame, records: Mapping[str, Record], systems: Sequence[str]) -> None:
    """Refuse answers that cannot be joined: unknown record, system or stop, doubled, no text."""
    ordered = answers.sort_values(["system", "record_id"], kind="stable")
    for bad, what in (
        (~ordered["record_id"].isin(list(records)), "belongs to no record of this result"),
        (~ordered["system"].isin(systems), "belongs to no system of this result"),
        (ordered.duplicated(["system", "record_id"]), "occurs twice"),
        (ordered["text"].isna(), "has no text"),
        (~ordered["stop"].isin(STOPS), f"has a stop that is none of {', '.join(STOPS)}"),
    ):
        if bad.any():
            first = ordered[bad].iloc[0]
            raise DataError(
                f"the answer of system {first['system']} for record {first['record_id']} {what}",
                found=f"{int(bad.sum())} such answers",
                remedy=REMEDY,
            )
