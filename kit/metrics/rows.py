"""From stored answers to metric rows: value, interval, n and definition version, joined by id."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from kit.benchmarks.protocol import Protocol
from kit.benchmarks.records import Column
from kit.errors import MissingStageError
from kit.metrics.definition import Definition
from kit.metrics.distances import read_distances
from kit.metrics.families import SystemMetrics, answer_metrics, names_of_all, system_metrics
from kit.metrics.intervals import INTERVAL, Intervals
from kit.metrics.judgement import Judgement
from kit.metrics.outside import stored_metric
from kit.metrics.record_sets import Further, Measured, RecordSet, record_sets
from kit.metrics.scores import Scores, score_answers
from kit.metrics.system_metric import ALL, Absent, SystemPart
from kit.metrics.system_tables import read_gradients
from kit.result.asked_for import families_of, options_of, replies_of
from kit.result.layout import (
    ANSWERS,
    DISTANCES,
    GRADIENTS,
    JUDGED,
    LIKELIHOODS,
    READ_BY_VANILLA,
    RECORDS,
    RUN,
    SETS,
    TOKENS,
)
from kit.result.run_file import System
from kit.result.tables import ROW_TYPES

__all__ = [
    "Further", "Inputs", "Measured", "RecordSet", "measure", "read_inputs", "read_parquet",
    "rows_of",
]  # fmt: skip
FILES = (RUN, RECORDS, SETS, ANSWERS, LIKELIHOODS)


class Inputs(TypedDict):
    """What `measure` needs of a result folder."""

    records: pd.DataFrame
    sets: pd.DataFrame
    answers: pd.DataFrame
    likelihoods: pd.DataFrame
    systems: list[System]
    further: Further


def read_inputs(results: Path) -> Inputs:
    """Read what `measure` needs from a result folder.

    Raises:
        MissingStageError: a file is not there yet.
    """
    for name in FILES:
        if not (results / name).is_file():
            raise MissingStageError(
                f"{results / name} does not exist",
                expected=f"a result with {', '.join(FILES)}",
                found="a folder without it" if results.is_dir() else "no such folder",
                remedy="run `./run.sh evaluate MANIFEST` first",
            )
    run = json.loads((results / RUN).read_text(encoding="utf-8"))
    return {
        "records": read_parquet(results / RECORDS),
        "sets": read_parquet(results / SETS),
        "answers": read_parquet(results / ANSWERS),
        "likelihoods": read_parquet(results / LIKELIHOODS),
        "systems": run["systems"],
        "further": Further(
            families_of(run),
            options_of(run),
            _optional(results / TOKENS),
            _optional(results / DISTANCES),
            stored_metric(run, names_of_all()),
            _optional(results / GRADIENTS),
            _optional(results / READ_BY_VANILLA),
            judgement_of(_optional(results / JUDGED), run),
        ),
    }


def judgement_of(table: pd.DataFrame | None, run: Mapping[str, object]) -> Judgement | None:
    """Return the table of the judge with the values of the replies in a run.json.

    Raises:
        VerificationError: they are no such values.
    """
    return None if table is None else Judgement(table, replies_of(run))


def _optional(path: Path) -> pd.DataFrame | None:
    return read_parquet(path) if path.is_file() else None


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
    definitions: Mapping[str, Definition] | None = None,
    further: Further | None = None,
) -> Measured:
    """Give every answer its values; the order of the inputs' rows changes nothing.

    Args:
        records, sets, answers, likelihoods: tables as stored in a result folder.
        systems: `systems` of run.json. One without a target (vanilla) is measured for every
            target, the others for their own one.
        protocol: the benchmark's: which columns exist and what each one shows.
        definitions: {name: metric}, by default the newest version of each.
        further: what the manifest asks for beside the metrics of the tables; by default nothing.

    Raises:
        DataError: an answer that a set needs is missing, or one is doubled or belongs to nothing.
    """
    names = [system["name"] for system in systems]
    more = Further() if further is None else further
    asked = answer_metrics(more.families) if definitions is None else dict(definitions)
    if more.outside is not None:
        asked[more.outside.name] = more.outside
    scores = score_answers(
        records, answers, likelihoods, names, asked, more.tokens, more.read, more.judgement
    )
    groups = record_sets(sets, scores, protocol)
    near = read_distances(more.distances, scores.records, names)
    norms = read_gradients(more.gradients, scores.records, names)
    return Measured(scores, groups, systems, answers, protocol, more, near, gradients=norms)


def rows_of(
    measured: Measured,
    *,
    draws: int,
    seed: int,
    interval: int = INTERVAL,
    of_systems: SystemMetrics | None = None,
) -> pd.DataFrame:
    """Return one row for each system, column and metric, with the columns of `ROW_TYPES`.

    `value` is in [0, 1], or null with a `reason`; `low` and `high` are null below two clusters.

    Args:
        draws: draws for each interval.
        seed: seed of the intervals.
        interval: the version of the intervals; run.json names it.
        of_systems: {name: metric of a whole system}, by default the newest version of those that
            the manifest asks for.
    """
    intervals = Intervals(draws, seed, interval)
    if of_systems is None:
        of_systems = system_metrics(measured.further.families)
    rows = [
        tuple(row[name] for name in ROW_TYPES)
        for system in sorted(measured.systems, key=lambda system: system["name"])
        for group in measured.groups
        if system["target"] in (None, group.target)
        for row in _set_rows(system, group, measured.scores, intervals)
    ]
    rows += [
        tuple(row[name] for name in ROW_TYPES)
        for system in sorted(measured.systems, key=lambda system: system["name"])
        for target, part in _parts(measured.groups)
        if system["target"] in (None, target)
        for row in _part_rows(SystemPart(system, target, part, measured, intervals), of_systems)
    ]
    return pd.DataFrame(list(rows), columns=list(ROW_TYPES)).astype(ROW_TYPES)


def _parts(groups: Sequence[RecordSet]) -> Iterable[tuple[str, str]]:
    """Return (target, part) of what is forgotten; a probe asks for nothing that is."""
    return dict.fromkeys((g.target, g.part) for g in groups if g.column is not Column.PROBE)


def _set_rows(
    system: System, group: RecordSet, scores: Scores, intervals: Intervals
) -> Iterator[Mapping[str, object]]:
    clusters = group.clusters(scores)
    for definition in group.metrics(scores):
        place = {"part": group.part, "column": group.column, "metric": definition.name}
        row = {
            **_about(system, group.target), **place,
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


def _part_rows(place: SystemPart, metrics: SystemMetrics) -> Iterator[Mapping[str, object]]:
    """Yield one row for each metric of a whole system, and for each column that it has."""
    for metric in metrics.values():
        for column in metric.columns:
            found = metric.measure(place, column)
            if isinstance(found, Absent):
                numbers: dict[str, object] = {"value": None, "n": 0, "clusters": 0}
                numbers |= {"low": None, "high": None, "reason": found.reason}
            else:
                numbers = {**vars(found), "reason": ""}
            yield {
                **_about(place.system, place.target), "part": place.part, "column": column or ALL,
                "metric": metric.name, "version": metric.version, "better": metric.better,
                "headline": False, **numbers,
            }  # fmt: skip


def _about(system: System, target: str) -> dict[str, object]:
    return {
        "system": system["name"], "target": target, "method": system["method"],
        "label": system["label"], "seed": system["seed"],
    }  # fmt: skip
