"""The records behind each printed column, and the measured answers of a result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kit.benchmarks.protocol import Protocol
from kit.benchmarks.records import Column
from kit.benchmarks.words import words
from kit.errors import DataError
from kit.metrics.definition import Definition
from kit.metrics.distances import Nearness
from kit.metrics.judgement import Judgement
from kit.metrics.scores import Scores
from kit.metrics.system_tables import Numbers
from kit.result.run_file import System

if TYPE_CHECKING:
    from kit.metrics.attacked import Attacked


@dataclass(frozen=True)
class Further:
    """What the manifest asks for beside the metrics of the tables, and what that rests on.

    `families` are those of `evaluation.metrics`, `options` those of the benchmark. `tokens`,
    `distances`, `gradients` and `read` (read_by_vanilla) are the tables of these names, `judgement`
    is what the judge says, and `outside` a metric from outside of the kit; None where there is
    none.
    """

    families: tuple[str, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)
    tokens: pd.DataFrame | None = None
    distances: pd.DataFrame | None = None
    outside: Definition | None = None
    gradients: pd.DataFrame | None = None
    read: pd.DataFrame | None = None
    judgement: Judgement | None = None

    @property
    def asked(self) -> bool:
        """Say whether the manifest asks for anything."""
        return bool(self.families) or self.outside is not None


@dataclass(frozen=True)
class RecordSet:
    """The records behind one column of one part of one target's table."""

    target: str
    part: str
    column: Column
    ids: tuple[str, ...]
    headline: str
    cluster: str

    def metrics(self, scores: Scores) -> list[Definition]:
        """Return what can be measured on these records, the column's headline metric included."""
        concepts = {scores.records[name].concept for name in self.ids}
        known = scores.definitions.values()
        return [d for d in known if d.concepts & concepts or d.name == self.headline]

    def clusters(self, scores: Scores) -> np.ndarray:
        """Return [n] codes of what this part forgets: people, or events.

        All answers about one person (or event) are forgotten or kept together, so that is the unit
        that varies. A record with neither is a cluster of its own. Names that the metrics take for
        one are one here, however they are written: more clusters would mean more evidence.
        """
        records = [scores.records[name] for name in self.ids]
        named = [str(getattr(record, self.cluster)) for record in records]
        first = {words(name) or name: name for name in sorted(named, reverse=True)}
        owners = [
            (first[words(name) or name], record.id)
            for name, record in zip(named, records, strict=True)
        ]
        keys = [f"owner {owner}" if owner else f"record {name}" for owner, name in owners]
        return np.unique(keys, return_inverse=True)[1]


@dataclass(frozen=True)
class Measured:
    """The answers of a result, their values, and the columns that they are reported in.

    `protocol` is that of the benchmark, `further` what the manifest asks for beside its tables.
    `nearness` holds the distances to Retain-only models (`kit.metrics.distances`), `gradients` the
    gradient norms of reference answers, `attacked` what was answered under attack; None in a result
    without attacks.
    """

    scores: Scores
    groups: Sequence[RecordSet]
    systems: Sequence[System]
    answers: pd.DataFrame
    protocol: Protocol
    further: Further = field(default_factory=Further)
    nearness: Nearness = field(default_factory=dict)
    attacked: "Attacked | None" = None
    gradients: Numbers = field(default_factory=dict)


def record_sets(sets: pd.DataFrame, scores: Scores, protocol: Protocol) -> list[RecordSet]:
    """Return the columns of every target that has sets, in table order.

    A column that the benchmark prints but that has no records is there with no ids.

    Raises:
        DataError: a set names an unknown record, target or column, or one record twice.
    """
    _check_sets(sets, scores, protocol)
    ids = {
        key: tuple(sorted(members))
        for key, members in sets.groupby(["target", "part", "column"])["record_id"]
    }
    return [
        RecordSet(target, part.name, column, ids.get((target, part.name, column), ()),
                  part.headline[column], part.cluster)
        for target, layout in protocol.targets.items()
        if target in set(sets["target"])
        for part in protocol.parts.values()
        for column in Column
        if (part.name, column) in layout.columns or (target, part.name, column) in ids
    ]  # fmt: skip


def _check_sets(sets: pd.DataFrame, scores: Scores, protocol: Protocol) -> None:
    ordered = sets.sort_values(list(sets.columns), kind="stable")
    places = {(part, c) for part, where in protocol.parts.items() for c in where.headline}
    unknown = [pair not in places for pair in zip(ordered["part"], ordered["column"], strict=True)]
    for bad, what in (
        (~ordered["record_id"].isin(list(scores.records)), "names a record that does not exist"),
        (~ordered["target"].isin(list(protocol.targets)), "has an unknown target"),
        (pd.Series(unknown, index=ordered.index, dtype=bool), "has an unknown part or column"),
        (ordered.duplicated(), "occurs twice"),
    ):
        if bad.any():
            row = ordered[bad].iloc[0]
            place = "/".join(row[["target", "part", "column", "record_id"]])
            raise DataError(
                f"the entry {place} of sets.parquet {what}",
                expected="each record of records.parquet once in a column that the benchmark has",
                found=f"{int(bad.sum())} such entries",
                remedy="run `./run.sh evaluate MANIFEST` again, or get the result again",
            )
