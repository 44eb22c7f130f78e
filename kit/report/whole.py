"""One number for a whole method: forget quality, utility, gap to Retain-only, and refusals.

Such numbers are printed by most papers. They hide which column a method fails in, so they stand
beside the tables and not in their place.
"""

from collections.abc import Iterator, Mapping, Sequence
from statistics import harmonic_mean, median
from typing import TypedDict

import numpy as np
import pandas as pd

from kit.benchmarks.records import Column
from kit.experiment.systems import RETAIN_ONLY
from kit.metrics.ranks import kendall, kolmogorov_smirnov
from kit.metrics.rows import Measured, RecordSet
from kit.report.cells import Cell
from kit.report.damage import KEPT
from kit.report.tables import Line, Table
from kit.result.run_file import System, entries
from kit.sums import add_up

FEW_METHODS = 6  # with fewer, chance alone gives a large agreement
DECIMALS = 6
REFUSALS = {"refusal_forget": Column.EFFICACY, "refusal_kept": Column.RETAIN}


class Number(TypedDict):
    """A number with the count that it rests on; None with a reason. `part` is "" if of all."""

    part: str
    value: float | None
    n: int
    reason: str


class WholeLine(TypedDict):
    """One method with one target.

    `forget_quality` has a p for each part with truth ratios; `utility` and `gap` count columns;
    `refusal_forget` and `refusal_kept` count answers.
    """

    target: str
    entry: str
    label: str
    forget_quality: list[Number]
    utility: Number
    gap: Number
    refusal_forget: Number
    refusal_kept: Number


class Agreement(TypedDict):
    """How far a column orders the methods as their distance to Retain-only does."""

    target: str
    column: str
    metric: str
    tau: float | None
    n: int
    few: bool
    reason: str


class Whole(TypedDict):
    """The numbers of whole models, and the agreement of each column with the gap."""

    lines: list[WholeLine]
    agreement: list[Agreement]


def whole_numbers(tables: Sequence[Table], rows: pd.DataFrame, measured: Measured) -> Whole:
    """Return the numbers of every method for every target, in table order."""
    places = {(p.target, p.part, p.column): p for p in measured.groups}
    groups = entries(measured.systems)
    refusals = rows[rows["metric"] == "refusal_rate"]
    lines: list[WholeLine] = []
    agreement: list[Agreement] = []
    for table in tables:
        for target in table.targets:
            own = [(line, _cells(line, target, places)) for line in table.lines]
            gold = next((cells for line, cells in own if line.entry == RETAIN_ONLY), {})
            for line, cells in own:
                systems = [s for s in groups[line.entry] if s["target"] in (None, target)]
                if systems:
                    lines.append(_line(line, target, cells, gold, systems, refusals, measured))
            agreement += column_agreement(target, own, gold)
    return {"lines": lines, "agreement": agreement}


def _cells(
    line: Line, target: str, places: Mapping[tuple[str, str, Column], RecordSet]
) -> dict[str, Cell]:
    """Return the cells of a target by key; columns with the same records and metric count once."""
    found: dict[str, Cell] = {}
    seen = set()
    for cell in line.cells:
        slot = cell.slot
        place = places.get((slot.target, slot.part, slot.column))
        # Probes stand beside these numbers: with and without them, a method has the same ones.
        if slot.target == target and place is not None and slot.column is not Column.PROBE:
            asked = (slot.metric, place.ids)
            if asked not in seen:
                seen.add(asked)
                found[slot.key] = cell
    return found


def _line(
    line: Line,
    target: str,
    cells: Mapping[str, Cell],
    gold: Mapping[str, Cell],
    systems: Sequence[System],
    refusals: pd.DataFrame,
    measured: Measured,
) -> WholeLine:
    own = refusals[
        refusals["system"].isin([s["name"] for s in systems]) & (refusals["target"] == target)
    ]
    refused = {name: _refused(own[own["column"] == column]) for name, column in REFUSALS.items()}
    return {
        "target": target,
        "entry": line.entry,
        "label": line.label,
        "forget_quality": list(_forget_quality(line.entry, target, systems, measured)),
        "utility": _utility(cells),
        "gap": _gap(cells, gold),
        "refusal_forget": refused["refusal_forget"],
        "refusal_kept": refused["refusal_kept"],
    }


def _number(value: float | None, n: int, reason: str, part: str = "") -> Number:
    kept = None if value is None else round(value, DECIMALS) + 0.0
    return {"part": part, "value": kept, "n": n, "reason": "" if kept is not None else reason}


def _utility(cells: Mapping[str, Cell]) -> Number:
    """Return the harmonic mean of the columns that should be kept; 0 if one of them is 0."""
    values = [c.value for c in cells.values() if c.slot.column in KEPT and c.value is not None]
    mean = harmonic_mean(values) if values else None
    return _number(mean, len(values), "no column that should be kept was measured")


def _gap(cells: Mapping[str, Cell], gold: Mapping[str, Cell], without: str = "") -> Number:
    """Return the mean absolute difference to Retain-only over all columns but one."""
    pairs = [
        (cell.value, gold[key].value)
        for key, cell in cells.items()
        if key in gold and key != without
    ]
    apart = [abs(a - b) for a, b in pairs if a is not None and b is not None]
    mean = add_up(apart) / len(apart) if apart else None
    return _number(mean, len(apart), "no column was measured for this method and Retain-only")


def _refused(rows: pd.DataFrame) -> Number:
    """Return the share of refusals over all parts; every answer counts once, seeds alike."""
    known = rows[rows["value"].notna()]
    n = int(known["n"].sum())
    share = float((known["value"] * known["n"]).sum()) / n if n else None
    return _number(share, n, "no answer in free text")


def _forget_quality(
    entry: str, target: str, systems: Sequence[System], measured: Measured
) -> Iterator[Number]:
    """Yield a p for each part: could the truth ratios of the forgotten be those of Retain-only?

    Of several seeds, the median p.
    """
    gold = [
        s for s in entries(measured.systems).get(RETAIN_ONLY, ()) if s["target"] in (None, target)
    ]
    for place in measured.groups:
        if (place.target, place.column) != (target, Column.EFFICACY) or not gold:
            continue
        theirs = _ratios(gold[0], place, measured)
        if theirs is None or np.isnan(theirs).all():
            continue
        found = []
        n = 0
        for system in systems:
            ours = _ratios(system, place, measured)
            assert ours is not None, "one definition for all systems"
            both = ~(np.isnan(ours) | np.isnan(theirs))
            n = int(both.sum())
            found.append(kolmogorov_smirnov(ours[both], theirs[both])[1])
        if entry != RETAIN_ONLY:
            yield _number(median(found), n, "", place.part)


def _ratios(system: System, place: RecordSet, measured: Measured) -> np.ndarray | None:
    """Return [n] numbers in the order of R of each record, from the two truth ratios.

    `truth_ratio` is positive where R < 1, and `truth_ratio_forget` is min(R, 1 / R).
    """
    scores = measured.scores
    names = ("truth_ratio", "truth_ratio_forget")
    if any(name not in scores.definitions or scores.definitions[name].retired for name in names):
        return None
    kept, forgotten = (scores.of(system["name"], name, place.ids) for name in names)
    return np.asarray(np.where(kept > 0, forgotten - 1, 1 - forgotten))


def column_agreement(
    target: str, own: Sequence[tuple[Line, Mapping[str, Cell]]], gold: Mapping[str, Cell]
) -> Iterator[Agreement]:
    """Yield Kendall's tau of each column with the closeness to Retain-only in the others.

    Args:
        target: the target of the columns.
        own: the lines of a table with their cells by key; those with a role are left out.
        gold: the cells of Retain-only by key.
    """
    methods = [cells for line, cells in own if not line.role]
    for key, cell in gold.items():
        sign = {"higher": 1, "lower": -1}.get(cell.slot.better, 0)
        pairs = []
        for cells in methods:
            value = cells[key].value if key in cells else None
            gap = _gap(cells, gold, without=key)["value"]
            if value is not None and gap is not None:
                pairs.append((sign * value, -gap))
        tau = kendall(*zip(*pairs, strict=True)) if len(pairs) > 1 else None
        yield {
            "target": target,
            "column": key,
            "metric": cell.slot.metric_id,
            "tau": None if tau is None else round(tau, DECIMALS) + 0.0,
            "n": len(pairs),
            "few": len(pairs) < FEW_METHODS,
            "reason": ""
            if tau is not None
            else "all methods have one value, or there is one method",
        }
