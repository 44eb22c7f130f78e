"""Every answer measured once: system x record x metric. Joined by record id, never by position."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kit.benchmarks.records import Concept, Record, asked_likelihoods
from kit.errors import DataError
from kit.metrics import DEFINITIONS
from kit.metrics.definition import Answer, Definition, Likelihood

STOPS = ("eos", "length")
MOST_NATS = 1e9  # of a whole answer; infinity and NaN are no measurements
ROLES = ("answer", "candidate", "paraphrase")
REMEDY = "run `evaluate` again for this result, or restore answers/answers.parquet"


@dataclass(frozen=True)
class Scores:
    """Values of all answers. NaN stands for "this metric does not exist for this answer".

    `answered` is [systems, records] bool; `rows` and `columns` say where a system and a record
    stand in it. `definitions` are the metrics by name. `values[metric]` is [systems, records of its
    concepts + 1] float64: most metrics exist for few of the records. `places[concepts]` is
    [records] and says in which of these columns each stands; all others share the last one, which
    is NaN. `weights`, of the same shapes, holds the metrics that are weighted means.
    """

    records: Mapping[str, Record]
    definitions: Mapping[str, Definition]
    rows: Mapping[str, int]
    columns: Mapping[str, int]
    places: Mapping[frozenset[Concept], np.ndarray]
    values: Mapping[str, np.ndarray]
    weights: Mapping[str, np.ndarray]
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
        return self.values[metric][row, self._places(metric, ids)]

    def has(self, system: str, ids: Sequence[str]) -> bool:
        """Say whether a system has answered all of `ids`."""
        return bool(self.answered[self.rows[system], [self.columns[name] for name in ids]].all())

    def weights_of(self, system: str, metric: str, ids: Sequence[str]) -> np.ndarray | None:
        """Return [len(ids)] weights of a weighted mean; None where all answers weigh the same."""
        if metric not in self.weights:
            return None
        return self.weights[metric][self.rows[system], self._places(metric, ids)]

    def _places(self, metric: str, ids: Sequence[str]) -> np.ndarray:
        columns = [self.columns[name] for name in ids]
        return self.places[self.definitions[metric].concepts][columns]


def score_answers(
    records: pd.DataFrame,
    answers: pd.DataFrame,
    likelihoods: pd.DataFrame,
    systems: Iterable[str],
    definitions: Mapping[str, Definition] = DEFINITIONS,
) -> Scores:
    """Measure each answer with every metric that is defined for its record's concept.

    Args:
        records: columns as in records.parquet.
        answers: columns record_id, system, text, stop; in any order.
        likelihoods: columns record_id, system, role, text, logprob, tokens; in any order.
        systems: names of all systems of the result.
        definitions: {name: metric}, by default the newest version of each.

    Raises:
        DataError: an answer is doubled, or belongs to no known record or system.
    """
    index = read_records(records)
    rows = {name: place for place, name in enumerate(sorted(systems))}
    columns = {name: place for place, name in enumerate(index)}
    _check(answers, index, list(rows))
    likely = _likelihoods(likelihoods, index, list(rows))
    answered = np.zeros((len(rows), len(columns)), dtype=bool)
    own = {d.concepts: _of_concepts(index, d.concepts) for d in definitions.values()}
    places = {c: np.where(mask, np.cumsum(mask) - 1, mask.sum()) for c, mask in own.items()}
    shapes = {m: (len(rows), own[d.concepts].sum() + 1) for m, d in definitions.items()}
    values = {m: np.full(shape, np.nan) for m, shape in shapes.items()}
    weights = {m: np.full(shapes[m], np.nan) for m, d in definitions.items() if d.weight}
    computed = [d for d in definitions.values() if not d.retired]
    defined = {c: [d for d in computed if c in d.concepts] for c in Concept}
    table = answers[["record_id", "system", "text", "stop"]]
    for record_id, system, text, stop in table.itertuples(index=False, name=None):
        record, row, column = index[record_id], rows[system], columns[record_id]
        answered[row, column] = True
        answer = Answer(text, stop, likely.get((system, record_id), ()))
        _require_complete(answer, record, system)
        for definition in defined[record.concept]:
            value = definition.measure(answer, record)
            if value is not None:
                place = row, places[definition.concepts][column]
                values[definition.name][place] = value
                if definition.weight is not None:
                    weights[definition.name][place] = definition.weight(answer, record)
    return Scores(index, definitions, rows, columns, places, values, weights, answered)


def _of_concepts(records: Mapping[str, Record], concepts: frozenset[Concept]) -> np.ndarray:
    return np.array([record.concept in concepts for record in records.values()], dtype=bool)


def _require_complete(answer: Answer, record: Record, system: str) -> None:
    """Refuse a result that left out likelihoods: the rest would be scored as if it were all."""
    given = {(found.role, found.text) for found in answer.likelihoods}
    if given != asked_likelihoods(record):
        raise DataError(
            f"the likelihoods of system {system} for record {record.id} are not those asked for",
            expected=f"{len(asked_likelihoods(record))}",
            found=f"{len(given)}",
            remedy=REMEDY,
        )


def _likelihoods(
    table: pd.DataFrame, records: Mapping[str, Record], systems: Sequence[str]
) -> dict[tuple[str, str], tuple[Likelihood, ...]]:
    """Group likelihoods by (system, record); refuse what belongs to nothing or is no likelihood."""
    ordered = table.sort_values(["system", "record_id", "role", "text"], kind="stable")
    _refuse(
        ordered,
        "likelihood",
        (
            (~ordered["record_id"].isin(list(records)), "belongs to no record of this result"),
            (~ordered["system"].isin(systems), "belongs to no system of this result"),
            (~ordered["role"].isin(ROLES), f"has a role that is none of {', '.join(ROLES)}"),
            (ordered.duplicated(["system", "record_id", "role", "text"]), "occurs twice"),
            (~ordered["logprob"].between(-MOST_NATS, 0), "is no log-probability"),
            (ordered["tokens"] < 1, "has no tokens"),
        ),
    )
    groups: dict[tuple[str, str], list[Likelihood]] = defaultdict(list)
    columns = ordered[["system", "record_id", *Likelihood._fields]]
    for system, record_id, *values in columns.itertuples(index=False, name=None):
        groups[system, record_id].append(Likelihood(*values))
    return {key: tuple(found) for key, found in groups.items()}


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
            candidates=tuple(row.candidates), paraphrase=row.paraphrase, group=row.group,
        )  # fmt: skip
    return index


def _check(answers: pd.DataFrame, records: Mapping[str, Record], systems: Sequence[str]) -> None:
    """Refuse answers that cannot be joined: unknown record, system or stop, doubled, no text."""
    ordered = answers.sort_values(["system", "record_id"], kind="stable")
    _refuse(
        ordered,
        "answer",
        (
            (~ordered["record_id"].isin(list(records)), "belongs to no record of this result"),
            (~ordered["system"].isin(systems), "belongs to no system of this result"),
            (ordered.duplicated(["system", "record_id"]), "occurs twice"),
            (ordered["text"].isna(), "has no text"),
            (~ordered["stop"].isin(STOPS), f"has a stop that is none of {', '.join(STOPS)}"),
        ),
    )


def _refuse(rows: pd.DataFrame, kind: str, faults: Iterable[tuple["pd.Series[bool]", str]]) -> None:
    for bad, what in faults:
        if bad.any():
            first = rows[bad].iloc[0]
            raise DataError(
                f"the {kind} of system {first['system']} for record {first['record_id']} {what}",
                found=f"{int(bad.sum())} such {kind}s",
                remedy=REMEDY,
            )
