"""The distance of each method from the retain-only model, paired on the same records."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from kit.benchmarks.records import Column
from kit.experiment.systems import RETAIN_ONLY
from kit.metrics.intervals import Intervals
from kit.metrics.rows import RecordSet
from kit.metrics.scores import Scores
from kit.report.cells import Cell, Slot
from kit.report.tables import Table
from kit.result.run_file import System, entries

# Distances are computed when the report is written, perhaps on another processor than the run's.
# They have fewer digits than stored values, so that reports can be compared byte for byte.
DISTANCE_DECIMALS = 6


def distance_table(
    table: Table,
    scores: Scores,
    sets: Sequence[RecordSet],
    systems: Sequence[System],
    intervals: Intervals,
) -> Table:
    """Return `table` with each value replaced by its paired difference to Retain-only.

    Over several seeds, the score of a record is the mean of its seeds. The line of Retain-only is
    left out.
    """
    groups = entries(systems)
    places = {(place.target, place.part, place.column): place for place in sets}
    gold = _RetainOnly(groups.get(RETAIN_ONLY, []), scores)
    lines = tuple(
        replace(line, cells=tuple(_difference(cell, line.entry, groups, gold, places, intervals)
                                  for cell in line.cells))
        for line in table.lines
        if line.entry != RETAIN_ONLY
    )  # fmt: skip
    title = table.title.replace(". ", " minus Retain-only. ")
    return replace(table, name=f"{table.name}_distance", title=title, lines=lines)


class _RetainOnly:
    """The values of the Retain-only models; each column is measured once for all lines."""

    def __init__(self, systems: Sequence[System], scores: Scores) -> None:
        self.scores = scores
        self._systems = systems
        self._known: dict[Slot, np.ndarray | None] = {}

    def of(self, slot: Slot, place: RecordSet) -> np.ndarray | None:
        """Return [n] values of a column, the mean over the models; None if there is no model."""
        if slot not in self._known:
            self._known[slot] = mean_scores(self._systems, slot, self.scores, place)
        return self._known[slot]


def _difference(
    cell: Cell,
    entry: str,
    groups: Mapping[str, list[System]],
    gold: "_RetainOnly",
    places: Mapping[tuple[str, str, Column], RecordSet],
    intervals: Intervals,
) -> Cell:
    slot = cell.slot
    place = places.get((slot.target, slot.part, slot.column))
    if cell.value is None or place is None:
        return Cell(slot, None, cell.reason or "not run")
    ours = mean_scores(groups[entry], slot, gold.scores, place)
    theirs = gold.of(slot, place)
    if ours is None or theirs is None:
        return Cell(slot, None, "there is no Retain-only model for this target")
    both = ~(np.isnan(ours) | np.isnan(theirs))
    if not both.any():
        return Cell(slot, None, "no record has a value for both systems")
    key = ("difference to retain-only", intervals.seed, entry, slot.target, slot.part, slot.column)
    people = place.clusters(gold.scores)[both]
    found = intervals.difference(ours[both], theirs[both], people, key=key)
    return Cell(
        slot,
        round(found.value, DISTANCE_DECIMALS),
        low=_round(found.low),
        high=_round(found.high),
        n=found.n,
        clusters=found.clusters,
        signed=True,
    )


def _round(bound: float | None) -> float | None:
    return None if bound is None else round(bound, DISTANCE_DECIMALS)


def mean_scores(
    members: Sequence[System], slot: Slot, scores: Scores, place: RecordSet
) -> np.ndarray | None:
    """Return [n] values of the column's headline metric, averaged over seeds; None without."""
    names = [s["name"] for s in members if s["target"] in (None, slot.target)]
    values = [scores.of(name, slot.metric, place.ids) for name in names]
    return np.mean(values, axis=0) if values else None
