"""What tables take from answers and not from rows: seeds taken together, and cluster sizes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from kit.benchmarks.records import Column
from kit.metrics.cluster_sizes import size_matters
from kit.metrics.intervals import Intervals
from kit.metrics.rows import Measured, RecordSet
from kit.report.cells import Cell
from kit.report.distances import DISTANCE_DECIMALS, mean_scores
from kit.report.tables import Line, Table
from kit.result.run_file import System, entries


def with_evidence(table: Table, measured: Measured, intervals: Intervals) -> Table:
    """Return the table with the intervals of several seeds and the marks of cluster sizes.

    The interval of several seeds is that of the mean over the seeds of each record, as in claims
    and in differences to Retain-only; `seed_range` has the lowest and the highest value of a seed.
    Ratios of sums such as F1 keep the interval that spans those of all seeds, and their sizes are
    not tested: there the weight of an answer depends on its value.
    """
    groups = entries(measured.systems)
    places = {(place.target, place.part, place.column): place for place in measured.groups}
    lines = (
        replace(
            line,
            cells=tuple(
                _cell(cell, line, groups[line.entry], places, measured, intervals)
                for cell in line.cells
            ),
        )
        for line in table.lines
    )
    return replace(table, lines=tuple(lines))


def _cell(
    cell: Cell,
    line: Line,
    systems: Sequence[System],
    places: Mapping[tuple[str, str, Column], RecordSet],
    measured: Measured,
    intervals: Intervals,
) -> Cell:
    slot = cell.slot
    place = places.get((slot.target, slot.part, slot.column))
    if cell.value is None or place is None:
        return cell
    if slot.definitions[slot.metric].weight is not None:
        return cell
    values = mean_scores(systems, slot, measured.scores, place)
    if values is None:
        return cell
    clusters = place.clusters(measured.scores)
    exists = ~np.isnan(values)
    if cell.seeds > 1 and exists.any():
        key = (intervals.seed, "seeds", line.entry, slot.target, slot.part, slot.column)
        found = intervals.mean(values[exists], clusters[exists], key=key)
        each = [
            float(np.nanmean(measured.scores.of(s["name"], slot.metric, place.ids)))
            for s in systems
            if s["target"] in (None, slot.target)
        ]
        low, high = (round(bound, DISTANCE_DECIMALS) for bound in (min(each), max(each)))
        cell = replace(cell, low=found.low, high=found.high, seed_range=(low, high))
    return replace(cell, size_matters=size_matters(values, clusters))
