"""Whether the generated text is sound: repetition and unterminated answers of every method."""

from collections.abc import Sequence
from typing import TypedDict

import pandas as pd

from kit.report.tables import Table
from kit.result.run_file import System, entries, labels

METRICS = ("repetition", "unterminated", "unparsed")


class Worst(TypedDict):
    """The worst column of one metric; `value` is in [0, 1], or None with a `reason`."""

    value: float | None
    column: str
    reason: str


class HealthLine(TypedDict):
    """One method; `worst` has the keys "<target> <metric>"."""

    entry: str
    label: str
    worst: dict[str, Worst]


class Health(TypedDict):
    """The table of broken text: a line per method, a column per target and metric."""

    targets: list[str]
    metrics: list[str]
    lines: list[HealthLine]


def answer_health(rows: pd.DataFrame, systems: Sequence[System], tables: Sequence[Table]) -> Health:
    """Return the worst column of each method for each target.

    The worst and not the mean: a method that breaks in one column cannot hide it.
    """
    targets = list(dict.fromkeys(target for table in tables for target in table.targets))
    names = labels(systems)
    # Grouped once: searching all rows for each method would be quadratic in the systems.
    places = rows.groupby("system").indices
    lines = []
    for entry, members in entries(systems).items():
        found = sorted(place for system in members for place in places.get(system["name"], ()))
        own = rows.iloc[found]
        worst = {
            f"{target} {metric}": _worst(own[own["target"] == target], metric)
            for target in targets
            for metric in METRICS
        }
        lines.append(HealthLine(entry=entry, label=names[entry], worst=worst))
    return {"targets": targets, "metrics": list(METRICS), "lines": lines}


def _worst(rows: pd.DataFrame, metric: str) -> Worst:
    measured = rows[(rows["metric"] == metric) & rows["value"].notna()]
    if rows.empty:
        return {"value": None, "column": "", "reason": "not run"}
    if measured.empty:
        reasons = rows.loc[rows["metric"] == metric, "reason"]
        return {
            "value": None,
            "column": "",
            "reason": str(next(iter(reasons), "no question of this kind")),
        }
    first = int(measured["value"].argmax())
    value, column = measured["value"].iloc[first], measured["column"].iloc[first]
    return {"value": float(value), "column": str(column), "reason": ""}
