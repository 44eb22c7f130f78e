"""The further metrics that the manifest asks for: one line a method, one cell a metric and column.

Those of answers are shown for what is to be forgotten and for what is kept; rows.csv has all.
"""

from collections.abc import Sequence
from typing import TypedDict

import pandas as pd

from kit.benchmarks.records import Column
from kit.metrics.families import OF_ANSWERS, OF_SYSTEMS, versions_of_systems
from kit.metrics.record_sets import Further
from kit.metrics.system_metric import ALL, SystemMetric
from kit.result.run_file import System, entries, labels

SHOWN = (str(Column.EFFICACY), str(Column.RETAIN))


class FurtherCell(TypedDict):
    """One value: the mean over the seeds, the lowest and highest end of their intervals."""

    metric: str
    column: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    clusters: int
    seeds: int
    reason: str


class FurtherLine(TypedDict):
    """One method: its name in the manifest, its printed name, and its values."""

    entry: str
    label: str
    cells: list[FurtherCell]


class FurtherTable(TypedDict):
    """One part of one target."""

    target: str
    part: str
    lines: list[FurtherLine]


def further_tables(
    rows: pd.DataFrame, systems: Sequence[System], further: Further
) -> list[FurtherTable]:
    """Return a table for each part of each target, in the order of the rows and the manifest."""
    families = further.families
    of_answers = [each.name for family in families for each in OF_ANSWERS.get(family, ())]
    of_answers += [further.outside.name] if further.outside else []
    of_systems = [each.name for family in families for each in OF_SYSTEMS.get(family, ())]
    shown = rows["metric"].isin(of_answers) & rows["column"].isin(SHOWN)
    chosen = rows[shown | rows["metric"].isin(of_systems)]
    names = labels(systems)
    tables: list[FurtherTable] = []
    for target, part in dict.fromkeys(zip(chosen["target"], chosen["part"], strict=True)):
        place = chosen[(chosen["target"] == target) & (chosen["part"] == part)]
        keys = _keys(place, [*of_answers, *of_systems])
        lines: list[FurtherLine] = []
        for entry, members in entries(systems).items():
            own = place[place["system"].isin([system["name"] for system in members])]
            if len(own):
                cells = [_cell(*key, own) for key in keys]
                lines.append({"entry": entry, "label": names[entry], "cells": cells})
        tables.append({"target": target, "part": part, "lines": lines})
    return tables


def _keys(rows: pd.DataFrame, order: Sequence[str]) -> list[tuple[str, int, str]]:
    """Return (metric, version, column) in the order of the families, then of the columns."""
    keys = set(zip(rows["metric"], rows["version"], rows["column"], strict=True))
    columns = [*map(str, Column), ALL]
    return sorted(keys, key=lambda key: (order.index(key[0]), columns.index(key[2])))


def _cell(metric: str, version: int, column: str, rows: pd.DataFrame) -> FurtherCell:
    own = rows[(rows["metric"] == metric) & (rows["column"] == column)]
    absent = own[own["value"].isna()]
    known = len(absent) == 0 and len(own) > 0
    bounded = known and not own["low"].isna().any()
    return {
        "metric": f"{metric}/{version}",
        "column": column,
        "value": float(own["value"].mean()) if known else None,
        "low": float(own["low"].min()) if bounded else None,
        "high": float(own["high"].max()) if bounded else None,
        "n": int(own["n"].min()) if known else 0,
        "clusters": int(own["clusters"].min()) if known else 0,
        "seeds": len(own),
        "reason": str(absent.iloc[0]["reason"]) if len(absent) else "" if known else "not run",
    }


def used_system_metrics(rows: pd.DataFrame, families: Sequence[str]) -> list[SystemMetric]:
    """Return the metrics of whole systems that occur in the rows, in the versions there."""
    used = set(zip(rows["metric"], rows["version"], strict=True))
    return [each for key, each in versions_of_systems(families).items() if key in used]
