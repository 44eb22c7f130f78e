"""Everything that a report says, as plain values: `report.json` is this, the pages print it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from kit.errors import MissingStageError
from kit.metrics import DEFINITIONS
from kit.metrics.scores import score_answers
from kit.records import Column
from kit.report import notes
from kit.report.cells import Slot
from kit.report.costs import method_costs, stage_costs
from kit.report.distances import Draws, distance_table
from kit.report.health import answer_health
from kit.report.samples import samples
from kit.report.tables import Line, Table, make_tables
from kit.rows import RETAIN_ONLY, ROW_TYPES, VANILLA, read_inputs, record_sets
from kit.statistics import FEW_CLUSTERS


@dataclass(frozen=True)
class Contents:
    """What the templates print: the tables as objects, everything else as JSON values."""

    tables: list[Table]
    distances: list[Table]
    facts: dict[str, Any]

    def as_json(self) -> dict[str, object]:
        """Return report.json, with values as stored rather than as printed."""
        tables = [*self.tables, *self.distances]
        return {
            "schema": "pebench-kit/report/1",
            "tables": {table.name: [_line_json(line) for line in table.lines] for table in tables},
            **self.facts,
        }


def read_contents(results: Path) -> tuple[Contents, pd.DataFrame]:
    """Return the report's contents and the rows they rest on.

    Raises:
        MissingStageError: run.json, the answers or the rows are not there.
        DataError: the answers do not fit the records and sets.
    """
    inputs = read_inputs(results)
    if not (results / "rows.parquet").is_file():
        raise MissingStageError(
            f"{results / 'rows.parquet'} does not exist",
            remedy="run `evaluate` for this manifest first",
        )
    rows = pd.read_parquet(results / "rows.parquet").astype(ROW_TYPES)
    run = json.loads((results / "run.json").read_text(encoding="utf-8"))
    manifest, systems = run["manifest"], inputs["systems"]
    draws = Draws(manifest["report"]["bootstrap_draws"], manifest["report"]["seed"])
    scores = score_answers(
        inputs["records"], inputs["answers"], [system["name"] for system in systems]
    )
    sets = record_sets(inputs["sets"], scores)
    tables = make_tables(rows, systems)
    facts = {
        "kit_version": run["kit_version"],
        "title": manifest.get("title") or manifest["name"],
        "manifest": manifest,
        "manifest_digest": run["manifest_digest"],
        "glance": glance(tables),
        "columns": column_facts(rows, {(s.target, s.half, s.column): len(s.ids) for s in sets}),
        "definitions": [
            {"id": d.id, "sentence": d.sentence, "unit": d.unit, "better": d.better}
            for d in DEFINITIONS.values()
        ],
        "rule": notes.RULE,
        "health": answer_health(rows, systems),
        "samples": samples(sets, scores.records, inputs["answers"], systems),
        "stages": stage_costs(run),
        "methods": method_costs(run, systems),
        "guards": run.get("guards", {}),
        "attempts": run.get("attempts", []),
        "environment": run.get("environment", {}),
        "systems": systems,
        "jobs": run.get("jobs", []),
        "comparability": list(notes.COMPARABILITY),
    }
    distances = [distance_table(table, scores, sets, systems, draws) for table in tables]
    return Contents(tables, distances, facts), rows


def column_facts(rows: pd.DataFrame, sizes: Mapping[tuple[str, str, str], int]) -> list[dict]:
    """Return for each printed column its metric, records, answers measured, and people.

    Raises nothing: a column without a value has n 0 and its reason.
    """
    vanilla = rows[rows["headline"] & (rows["method"] == VANILLA)]
    return [
        {
            "target": row.target, "half": row.concept, "column": row.column,
            "metric": f"{row.metric}/{row.version}",
            "records": sizes.get((row.target, row.concept, row.column), 0),
            "n": row.n, "clusters": row.clusters, "few": 0 < row.clusters < FEW_CLUSTERS,
            "reason": row.reason,
        }
        for row in vanilla.itertuples(index=False)
    ]  # fmt: skip


def glance(tables: list[Table]) -> list[str]:
    """Return the sentences that say whether the experiment worked, and which methods did not."""
    sentences = []
    for table in tables:
        lines = {line.entry: line for line in table.lines}
        for slots in table.halves:
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
    return sentences


def _efficacy_and_retain(line: Line, slots: Sequence[Slot]) -> str:
    cells = {cell.slot.column: cell for cell in line.cells if cell.slot in slots}
    forget, retain = cells[Column.EFFICACY], cells[Column.RETAIN]
    unit = " %" if forget.slot.percent else ""
    return f"{line.label} has Efficacy {forget.text}{unit} and Retain {retain.text}{unit}"


def _line_json(line: Line) -> dict[str, object]:
    return {
        "entry": line.entry, "label": line.label, "role": line.role,
         "marks": dict(line.verdict.marks),
        "cells": {cell.slot.key: cell.as_json() for cell in line.cells},
    }  # fmt: skip
