"""From stored answers to metric rows: value, interval, n and definition version, joined by id."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from kit.benchmarks.protocol import Protocol
from kit.benchmarks.records import Column
from kit.benchmarks.words import words
from kit.errors import DataError, MissingStageError
from kit.metrics import DEFINITIONS
from kit.metrics.definition import Definition
from kit.metrics.intervals import INTERVAL, Intervals
from kit.metrics.scores import Scores, score_answers
from kit.result.layout import ANSWERS, LIKELIHOODS, RECORDS, RUN, SETS
from kit.result.run_file import System
from kit.result.tables import ROW_TYPES

FILES = (RUN, RECORDS, SETS, ANSWERS, LIKELIHOODS)


class Inputs(TypedDict):
    """What `measure` needs of a result folder."""

    records: pd.DataFrame
    sets: pd.DataFrame
    answers: pd.DataFrame
    likelihoods: pd.DataFrame
    systems: list[System]


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
    """The answers of a result, their values, and the columns that they are reported in."""

    scores: Scores
    groups: Sequence[RecordSet]
    systems: Sequence[System]
    answers: pd.DataFrame


def read_inputs(results: Path) -> Inputs:
    """Read what `measure` needs from a result folder.

    Raises:
        MissingStageError: a file is not there yet.
    """
    for name in FILES:
        if not (results / name).is_file():
            raise MissingStageError(
                f"{results / name} does not exist", remedy="run `./run.sh evaluate MANIFEST` first"
            )
    run = json.loads((results / RUN).read_text(encoding="utf-8"))
    return {
        "records": read_parquet(results / RECORDS),
        "sets": read_parquet(results / SETS),
        "answers": read_parquet(results / ANSWERS),
        "likelihoods": read_parquet(results / LIKELIHOODS),
        "systems": run["systems"],
    }


def read_parquet(path: Path) -> pd.DataFrame:
    """Return a stored table."""
    # pandas' own reader takes Arrow's machinery for folders of tables along, 8 MB of it.
    frame: pd.DataFrame = pq.ParquetFile(path).read(use_threads=False).to_pandas(use_threads=False)
    return frame


def measure(
    records: pd.DataFrame,
    sets: pd.DataFrame,
    answers: pd.DataFrame,
    likelihoods: pd.DataFrame,
    systems: Sequence[System],
    *,
    protocol: Protocol,
    definitions: Mapping[str, Definition] = DEFINITIONS,
) -> Measured:
    """Give every answer its values; the order of the inputs' rows changes nothing.

    Args:
        records, sets, answers, likelihoods: tables as stored in a result folder.
        systems: `systems` of run.json. One without a target (vanilla) is measured for every
            target, the others for their own one.
        protocol: the benchmark's: which columns exist and what each one shows.
        definitions: {name: metric}, by default the newest version of each.

    Raises:
        DataError: an answer that a set needs is missing, or one is doubled or belongs to nothing.
    """
    names = [system["name"] for system in systems]
    scores = score_answers(records, answers, likelihoods, names, definitions)
    return Measured(scores, record_sets(sets, scores, protocol), systems, answers)


def rows_of(measured: Measured, *, draws: int, seed: int, interval: int = INTERVAL) -> pd.DataFrame:
    """Return one row for each system, column and metric, with the columns of `ROW_TYPES`.

    `value` is in [0, 1], or null with a `reason`; `low` and `high` are null below two clusters.

    Args:
        draws: draws for each interval.
        seed: seed of the intervals.
        interval: the version of the intervals; run.json names it.
    """
    intervals = Intervals(draws, seed, interval)
    rows = (
        tuple(row[name] for name in ROW_TYPES)
        for system in sorted(measured.systems, key=lambda system: system["name"])
        for group in measured.groups
        if system["target"] in (None, group.target)
        for row in _set_rows(system, group, measured.scores, intervals)
    )
    return pd.DataFrame(list(rows), columns=list(ROW_TYPES)).astype(ROW_TYPES)


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
                remedy="run `./run.sh evaluate MANIFEST` again, or get the result again",
            )


def _set_rows(
    system: System, group: RecordSet, scores: Scores, intervals: Intervals
) -> Iterator[Mapping[str, object]]:
    clusters = group.clusters(scores)
    for definition in group.metrics(scores):
        place = {"part": group.part, "column": group.column, "metric": definition.name}
        row = {
            "system": system["name"], "target": group.target, "method": system["method"],
            "label": system["label"], "seed": system["seed"], **place,
            "version": definition.version, "better": definition.better_in(group.column),
            "headline": definition.name == group.headline,
            "value": None, "reason": "", "n": 0, "clusters": 0, "low": None, "high": None,
        }  # fmt: skip
        values = scores.of(system["name"], definition.name, group.ids)
        weights = scores.weights_of(system["name"], definition.name, group.ids)
        exists = ~np.isnan(values)
        if exists.any():
            # World asks the same records in every part: the same answers, the same interval.
            asked = {**place, "part": ""} if group.column is Column.WORLD else place
            key = (intervals.seed, system["name"], group.target, *asked.values())
            weighted = None if weights is None else weights[exists]
            row |= vars(intervals.mean(values[exists], clusters[exists], weighted, key=key))
        else:
            row["reason"] = definition.absent if group.ids else "the set of this column is empty"
        yield row
