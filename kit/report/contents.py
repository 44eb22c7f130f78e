"""Everything that a report says, as plain values: `report.json` is this, the pages print it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from kit import benchmarks
from kit.benchmarks.protocol import Protocol
from kit.benchmarks.records import Column
from kit.errors import MissingStageError
from kit.experiment.systems import RETAIN_ONLY, VANILLA
from kit.metrics.rows import Measured, measure, read_inputs, read_parquet
from kit.metrics.statistics import FEW_CLUSTERS
from kit.report import notes
from kit.report.cells import Cell, Slot
from kit.report.costs import method_costs, stage_costs
from kit.report.damage import CHANCE
from kit.report.distances import Draws, distance_table
from kit.report.health import answer_health
from kit.report.samples import samples
from kit.report.tables import Line, Table, make_tables
from kit.result.layout import CLAIMS, ROWS, RUN
from kit.result.made_by import kit_of
from kit.result.tables import ROW_TYPES

# Of report.json. It rises whenever an equal result could get other numbers or another structure
# there; the words of a sentence may change. `kit.verification.numbers` reads every signed schema.
SCHEMA = "pebench-kit/report/1"
SOURCE = ("name", "origin", "revision", "licence", "locked", "list_digest")


@dataclass(frozen=True)
class Contents:
    """What the templates print: the tables as objects, everything else as JSON values.

    `rows` are the metric rows that the tables rest on.
    """

    protocol: Protocol
    tables: list[Table]
    distances: list[Table]
    facts: dict[str, Any]
    rows: pd.DataFrame

    def as_json(self) -> dict[str, object]:
        """Return report.json, with values as stored rather than as printed."""
        tables = [*self.tables, *self.distances]
        return {
            "schema": SCHEMA,
            "tables": {table.name: [_line_json(line) for line in table.lines] for table in tables},
            **self.facts,
        }


def read_contents(results: Path) -> Contents:
    """Return the report's contents from a result folder that the kit itself has just written.

    Raises:
        MissingStageError: run.json, the answers or the rows are not there.
        DataError: the answers do not fit the records and sets.
    """
    inputs = read_inputs(results)
    if not (results / ROWS).is_file():
        raise MissingStageError(
            f"{results / ROWS} does not exist",
            remedy="run `evaluate` for this manifest first",
        )
    rows = read_parquet(results / ROWS).astype(ROW_TYPES)
    run = json.loads((results / RUN).read_text(encoding="utf-8"))
    claims = results / CLAIMS
    entries = json.loads(claims.read_text(encoding="utf-8"))["claims"] if claims.is_file() else []
    protocol = benchmarks.protocol(run["manifest"]["benchmark"]["loader"])
    return make_contents(run, protocol, rows, entries, measure(**inputs, protocol=protocol))


def make_contents(
    run: Mapping[str, Any],
    protocol: Protocol,
    rows: pd.DataFrame,
    claims: Sequence[Mapping[str, object]],
    measured: Measured,
) -> Contents:
    """Return the report's contents.

    Args:
        run: the content of run.json.
        protocol: that of its benchmark.
        rows: the metric rows, of the types of `ROW_TYPES`.
        claims: the entries of claims.json.
        measured: the answers that the rows follow from, with their values.
    """
    manifest, systems = run["manifest"], run["systems"]
    draws = Draws(manifest["report"]["bootstrap_draws"], manifest["report"]["seed"])
    scores, sets = measured.scores, measured.groups
    tables = make_tables(rows, systems, protocol, scores.definitions)
    used = set(rows["metric"])
    facts = {
        "kit_version": kit_of(run).version,
        "title": manifest.get("title") or manifest["name"],
        "manifest": manifest,
        "manifest_digest": run["manifest_digest"],
        "glance": [*unlocked(run.get("sources", [])), *glance(tables)],
        "claims": list(claims),
        "columns": column_facts(rows, {(s.target, s.part, s.column): len(s.ids) for s in sets}),
        "definitions": [
            {"id": d.id, "sentence": d.sentence, "unit": d.unit, "better": d.better}
            for d in scores.definitions.values()
            if d.name in used
        ],
        "rule": notes.RULE,
        "health": answer_health(rows, systems, tables),
        "samples": samples(sets, scores.records, measured.answers, systems),
        "stages": stage_costs(run),
        "methods": method_costs(run, systems),
        "guards": run.get("guards", {}),
        "attempts": run.get("attempts", []),
        "environment": run.get("environment", {}),
        "systems": systems,
        "jobs": run.get("jobs", []),
        "sources": [{key: s.get(key) for key in SOURCE} for s in run.get("sources", [])],
        "comparability": [*notes.COMPARABILITY, *protocol.comparability],
    }
    distances = [distance_table(table, scores, sets, systems, draws) for table in tables]
    return Contents(protocol, tables, distances, facts, rows)


def column_facts(rows: pd.DataFrame, sizes: Mapping[tuple[str, str, str], int]) -> list[dict]:
    """Return for each printed column its metric, records, answers measured, and people.

    Raises nothing: a column without a value has n 0 and its reason.
    """
    vanilla = rows[rows["headline"] & (rows["method"] == VANILLA)]
    return [
        {
            "target": row.target, "part": row.part, "column": row.column,
            "metric": f"{row.metric}/{row.version}",
            "records": sizes.get((row.target, row.part, row.column), 0),
            "n": row.n, "clusters": row.clusters, "few": 0 < row.clusters < FEW_CLUSTERS,
            "reason": row.reason,
        }
        for row in vanilla.itertuples(index=False)
    ]  # fmt: skip


def unlocked(sources: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a warning for each source whose bytes no committed list vouches for."""
    return [
        f"NOT LOCKED: {source['name']} was used without a committed checksum list; nobody can "
        "tell whether another run reads the same bytes."
        for source in sources
        if source.get("locked") is False
    ]


def glance(tables: list[Table]) -> list[str]:
    """Return the sentences that say whether the experiment worked, and which methods did not."""
    sentences = []
    for table in tables:
        lines = {line.entry: line for line in table.lines}
        for slots in table.parts:
            if VANILLA in lines and RETAIN_ONLY in lines:
                bounds = (lines[VANILLA], lines[RETAIN_ONLY])
                said = "; ".join(_efficacy_and_retain(line, slots) for line in bounds)
                sentences.append(f"{slots[0].title}: {said}.")
        methods = [line for line in table.lines if not line.role]
        for mark in ("collapsed", "over-forgets"):
            marked = [line.label for line in methods if mark in line.verdict.marks]
            sentences.append(
                f"{table.title.split('.')[0]}, marked {mark}: {len(marked)} of {len(methods)} "
                f"methods{': ' if marked else ''}{'; '.join(marked)}."
            )
        if blind := at_chance(lines[VANILLA].cells if VANILLA in lines else ()):
            sentences.append(
                f"{table.title.split('.')[0]}: Vanilla is not above chance in {', '.join(blind)}: "
                "nothing was known there, so these columns say nothing about forgetting."
            )
    return sentences


def at_chance(cells: Sequence[Cell]) -> list[str]:
    """Return the columns with a known chance level in which a system is not clearly above it."""
    floors = [(cell, CHANCE.get(cell.slot.metric)) for cell in cells]
    return [
        cell.slot.key
        for cell, floor in floors
        if floor is not None and cell.low is not None and cell.low <= floor
    ]


def _efficacy_and_retain(line: Line, slots: Sequence[Slot]) -> str:
    cells = {cell.slot.column: cell for cell in line.cells if cell.slot in slots}
    shown = [cells[column] for column in (Column.EFFICACY, Column.RETAIN) if column in cells]
    said = [f"{c.slot.heading} {c.text}{' %' if c.slot.percent else ''}" for c in shown]
    return f"{line.label} has {' and '.join(said)}"


def _line_json(line: Line) -> dict[str, object]:
    return {
        "entry": line.entry, "label": line.label, "role": line.role,
         "marks": dict(line.verdict.marks),
        "cells": {cell.slot.key: cell.as_json() for cell in line.cells},
    }  # fmt: skip
