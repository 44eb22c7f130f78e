"""The claims of a result with their verdicts, as CSV or as printed text."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import cast

from kit.experiment.claims import CHANGED
from kit.metrics import VERSIONS
from kit.report.cells import NO_NUMBER, number
from kit.report.csv_cells import csv_cell
from kit.report.run_types import Claim

HEAD = (
    "id", "verdict", "reason", "text", "location", "kind", "target", "part", "column", "metric",
    "system", "other", "other_target", "unit", "direction", "threshold", "margin", "value", "low",
    "high", "n", "clusters", "units", "seeds", "detectable", "cost",
)  # fmt: skip
RETURNS = "returns"  # the kind of a claim about an attack
TWO_SIDED = "within"  # the direction of a claim that two values are the same
# Later fields, in the order of their columns. An older claims.json has none of them.
LATER = (
    "forgetting", "other_part", "other_metric", "share", "published", "sign", "size", "attack",
    "level",
)  # fmt: skip
HOW = (
    "A claim is REPRODUCED if its whole 90 % interval satisfies the claim, NOT_REPRODUCED if the "
    "whole interval contradicts it, INCONCLUSIVE if the interval contains the threshold (which is "
    "not a pass), and SKIPPED if there is nothing to measure. Each end of the interval is wrong in "
    "at most 5 of 100 runs, even where all answers agree: it is computed as if one more unit with "
    "the worst possible value had been observed. This assumes that the size of a cluster does not "
    "depend on how it is answered. The resampled units decide what the interval generalises to: "
    "clusters to other people (or events) like these, answers only to other questions about the "
    "same people. Detectable is the smallest distance from the threshold that this many units "
    "would show in 4 of 5 runs; none means that no possible value is that far away. With several "
    "seeds, the value is their mean. The interval does not cover the variation between training "
    "runs; ./run.sh compare takes it into account if the reference has several seeds. A published "
    "difference is REPRODUCED if the whole interval is beyond the claimed share of it (half, "
    "unless stated), and NOT_REPRODUCED if the whole interval falls short of that share. A claim "
    "that two systems are the same needs the whole interval within its margin. A claim of "
    "forgetting holds only where the same system's answers are sound: they are not empty, cut off, "
    "repetitive or all alike, and at least a quarter of Vanilla's score for what should be kept is "
    "left. Where Vanilla does not know what is to be forgotten, or Retain-only does, such a claim "
    "is INCONCLUSIVE. A claim about how many answers of two systems are worded differently is only "
    "about these answers: all of them are counted, so its interval has no width."
)
# Added where a claim is about an attack.
HOW_RETURNS = (
    "A claim that knowledge comes back under an attack, or does not, is about the recovery beyond "
    "that of Retain-only. It is INCONCLUSIVE if the attack shows nothing. If the answers of the "
    "system are broken, a claim that nothing comes back is NOT_REPRODUCED."
)


def claims_csv(entries: Sequence[Mapping[str, object]]) -> str:
    """Return the entries as CSV; null in claims.json becomes an empty cell."""
    stream = io.StringIO()
    head = [*HEAD, *(name for name in LATER if any(name in entry for entry in entries))]
    writer = csv.DictWriter(stream, head, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: csv_cell(value) for key, value in e.items()} for e in entries)
    return stream.getvalue()


def printed(content: Mapping[str, object], *, percent: bool = False) -> dict[str, str]:
    """Return the texts of one entry of claims.json for a page or a terminal.

    `percent`: print the values of every metric of the kit in percent, not only those that tables of
    the paper have so. All of them are shares.
    """
    entry = cast(Claim, content)
    percent = is_percent(entry["metric"]) or (percent and is_share(entry["metric"]))
    signed = _is_difference(entry)
    low, high = (number(end, percent, signed) for end in (entry["low"], entry["high"]))
    unit = "cluster" if entry["unit"] == "cluster" else "answer"
    return {
        "id": entry["id"],
        "verdict": entry["verdict"],
        "reason": entry["reason"],
        "text": entry["text"],
        "location": entry["location"],
        "cost": entry["cost"],
        "of": _of(entry),
        "threshold": _threshold(entry, percent),
        "value": number(entry["value"], percent, signed),
        "interval": f"[{low}, {high}]" if entry["value"] is not None else "",
        "n": f"{entry['n']} ({entry['clusters']})",
        "asked": f"{entry['units']} {unit}{'' if entry['units'] == 1 else 's'}",
        "detectable": number(entry["detectable"], percent, False) if entry["detectable"] is not None
        else "none" if entry["value"] is not None else NO_NUMBER,
    }  # fmt: skip


def is_percent(metric: str) -> bool:
    """Say whether `name/version` is printed in percent; False for metrics unknown to the kit."""
    known = VERSIONS.values()
    return metric == CHANGED or any(each.id == metric and each.percent for each in known)


def is_share(metric: str) -> bool:
    """Say whether `name/version` is a metric of the kit; all of them are shares in [0, 1]."""
    return any(each.id == metric for each in VERSIONS.values())


def in_percent(metric: str) -> bool:
    """Say whether a page prints `name/version` in percent, as every share is there."""
    return is_percent(metric) or is_share(metric)


def _is_difference(entry: Claim) -> bool:
    compared = entry["other"] is not None or entry["kind"] == RETURNS
    return compared and entry["metric"] != CHANGED


def _threshold(entry: Claim, percent: bool) -> str:
    two_sided = entry["direction"] == TWO_SIDED
    limit = number(entry["threshold"], percent, _is_difference(entry) and not two_sided)
    unit = " %" if percent else ""
    if (published := entry.get("published")) is None:
        return (
            f"{entry['direction']} {limit}{unit} (margin {number(entry['margin'], percent, False)})"
        )
    size = entry.get("size")
    sign = entry.get("sign", "")
    measured = "" if size is None else f", measured {100 * size:.0f} % of it ({sign} sign)"
    if sign == "no difference":
        measured = ", measured none"
    return (
        f"{entry['direction']} {limit}{unit} (published difference "
        f"{number(published, percent, True)}{measured})"
    )


def _of(entry: Claim) -> str:
    column = f"{entry['target']}/{entry['part']}/{entry['column']}"
    if entry["kind"] == RETURNS:
        return (
            f"recovery of {entry['system']} under {entry.get('attack')} at "
            f"{entry.get('level'):g}, beyond that of Retain-only: {column}, {entry['metric']}"
        )
    if entry.get("other_part"):
        other = (
            f"{entry['target']}/{entry['other_part']}/{entry['column']}, {entry['other_metric']}"
        )
        return (
            f"gap of {entry['other']} minus gap of {entry['system']}, between {column}, "
            f"{entry['metric']} and {other}"
        )
    target = f" ({entry['other_target']})" if entry["other_target"] else ""
    if entry["metric"] == CHANGED:
        return (
            f"answers of {entry['system']} that {entry['other']}{target} words differently: all "
            f"about {entry['target']}, {entry['metric']}"
        )
    minus = f" minus {entry['other']}{target}" if entry["other"] else ""
    return f"{entry['system']}{minus}: {column}, {entry['metric']}"
