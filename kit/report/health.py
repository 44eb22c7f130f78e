"""Is the text itself sound? Repetition and unterminated answers of every method."""

from collections.abc import Sequence

import pandas as pd

from kit.report.tables import Table
from kit.result.run_file import System, entries, labels

METRICS = ("repetition", "unterminated", "unparsed")


def answer_health(
    rows: pd.DataFrame, systems: Sequence[System], tables: Sequence[Table]
) -> dict[str, object]:
    """Return the worst column of each method for each target: {targets, metrics, lines}.

    The worst and not the mean, so that a method that breaks in one column cannot hide it.
    """
    targets = list(dict.fromkeys(target for table in tables for target in table.targets))
    names = labels(systems)
    # Found once: to look through all rows for each method would be quadratic in the systems.
    places = rows.groupby("system").indices
    lines = []
    for entry, members in entries(systems).items():
        found = sorted(place for system in members for place in places.get(system["name"], ()))
        mine = rows.iloc[found]
        worst = {
            f"{target} {metric}": _worst(mine[mine["target"] == target], metric)
            for target in targets
            for metric in METRICS
        }
        lines.append({"entry": entry, "label": names[entry], "worst": worst})
    return {"targets": targets, "metrics": list(METRICS), "lines": lines}


def _worst(rows: pd.DataFrame, metric: str) -> dict[str, object]:
    found = rows[(rows["metric"] == metric) & rows["value"].notna()]
    if rows.empty:
        return {"value": None, "column": "", "reason": "not run"}
    if found.empty:
        reasons = rows.loc[rows["metric"] == metric, "reason"]
        reason = next(iter(reasons), "no question of this kind")
        return {"value": None, "column": "", "reason": reason}
    row = found.loc[found["value"].idxmax()]
    return {"value": float(row["value"]), "column": row["column"], "reason": ""}
