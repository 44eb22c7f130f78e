"""The claims of a result with their verdicts, as CSV and ready to print."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from kit.metrics import VERSIONS

HEAD = (
    "id", "verdict", "reason", "text", "location", "kind", "target", "part", "column", "metric",
    "system", "other", "other_target", "unit", "direction", "threshold", "margin", "value", "low",
    "high", "n", "clusters", "units", "seeds", "detectable", "cost",
)  # fmt: skip
HOW = (
    "A claim is REPRODUCED if the whole interval is on its side of the threshold, NOT_REPRODUCED "
    "if none of it is, INCONCLUSIVE if the interval holds the threshold, which is no pass, and "
    "SKIPPED if there is nothing to measure. Each end of an interval errs in at most 5 of 100 "
    "runs, also where all agree: as if one more cluster had been asked that has the worst value "
    "there is. That is so where clusters are of one size, or their size has nothing to do with "
    "how they are answered. What is asked again decides its width: other people (or events) like "
    "these, or other questions about these very people, which says nothing of others. Detectable "
    "is the smallest distance from the threshold that as many would have shown in 4 of 5 runs. "
    "Several seeds: the mean; what another training run would change is not in the interval, "
    "`compare` asks for it."
)


def claims_csv(entries: Sequence[Mapping[str, object]]) -> str:
    """Return the entries as CSV; what is null in claims.json is an empty cell."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, HEAD, lineterminator="\n")
    writer.writeheader()
    writer.writerows(entries)
    return stream.getvalue()


def printed(entry: Mapping[str, Any]) -> dict[str, str]:
    """Return what a page or a terminal prints of one entry."""
    percent = is_percent(str(entry["metric"]))
    signed = entry["other"] is not None
    low, high = (number(entry[end], percent, signed) for end in ("low", "high"))
    asked = "cluster" if entry["unit"] == "cluster" else "answer"
    return {
        "id": entry["id"],
        "verdict": entry["verdict"],
        "reason": entry["reason"],
        "text": entry["text"],
        "location": entry["location"],
        "cost": entry["cost"],
        "of": _of(entry),
        "threshold": f"{entry['direction']} {number(entry['threshold'], percent, signed)}"
        f"{' %' if percent else ''} (margin {number(entry['margin'], percent, False)})",
        "value": number(entry["value"], percent, signed),
        "interval": f"[{low}, {high}]" if entry["value"] is not None else "",
        "n": f"{entry['n']} ({entry['clusters']})",
        "asked": f"{entry['units']} {asked}{'' if entry['units'] == 1 else 's'}",
        "detectable": number(entry["detectable"], percent, False) if entry["detectable"] is not None
        else "none" if entry["value"] is not None else "-",
    }  # fmt: skip


def is_percent(metric: str) -> bool:
    """Say whether `name/version` is printed in percent; one that the kit has not is not."""
    return any(definition.id == metric and definition.percent for definition in VERSIONS.values())


def number(value: float | None, percent: bool, signed: bool) -> str:
    """Return a share in the unit of its metric, with its sign where it is a difference."""
    if value is None:
        return "-"
    scaled, digits = (value * 100, 1) if percent else (value, 2)
    rounded = round(scaled, digits) + 0.0
    return f"{rounded:+.{digits}f}" if signed and rounded else f"{rounded:.{digits}f}"


def _of(entry: Mapping[str, Any]) -> str:
    place = f"{entry['target']}/{entry['part']}/{entry['column']}"
    target = f" ({entry['other_target']})" if entry["other_target"] else ""
    less = f" minus {entry['other']}{target}" if entry["other"] else ""
    return f"{entry['system']}{less}: {place}, {entry['metric']}"
