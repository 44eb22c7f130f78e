"""A benchmark's tables from metric rows: a line per method, Vanilla first, Retain-only last."""

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter

import pandas as pd

from kit.benchmarks.protocol import Protocol
from kit.experiment.systems import RETAIN_ONLY, VANILLA
from kit.metrics import DEFINITIONS
from kit.metrics.definition import Definition
from kit.report.access import WEIGHTS, access_of
from kit.report.cells import Cell, Slot, cell_of
from kit.report.damage import RULE, Damage, assess
from kit.result.run_file import ROLES, System, entries, labels


@dataclass(frozen=True)
class Line:
    """One method: `entry` is its name in the manifest, `label` its printed name.

    `access` is what it may change (`kit.report.access`).
    """

    entry: str
    label: str
    role: str
    cells: tuple[Cell, ...]
    damage: Damage
    access: str = WEIGHTS

    def as_json(self) -> dict[str, object]:
        """Return the line as report.json holds it."""
        return {
            "entry": self.entry,
            "label": self.label,
            "role": self.role,
            "marks": dict(self.damage.marks),
            "cells": {cell.slot.key: cell.as_json() for cell in self.cells},
        }


def part_titles(tables: Sequence["Table"]) -> dict[tuple[str, str], str]:
    """Return {(target, part): its title}, such as "Forgetting both: people"."""
    return {(slots[0].target, slots[0].part): slots[0].title for t in tables for slots in t.parts}


@dataclass(frozen=True)
class Table:
    """A printed table; `name` is its file name without the suffix."""

    name: str
    title: str
    slots: tuple[Slot, ...]
    lines: tuple[Line, ...]

    @property
    def targets(self) -> list[str]:
        """Return the targets of the columns, in column order."""
        return list(dict.fromkeys(slot.target for slot in self.slots))

    def only(self, targets: Collection[str]) -> "Table":
        """Return the table with the columns of some targets alone."""
        slots = tuple(slot for slot in self.slots if slot.target in targets)
        lines = (
            replace(line, cells=tuple(cell for cell in line.cells if cell.slot.target in targets))
            for line in self.lines
        )
        return replace(self, slots=slots, lines=tuple(lines))

    @property
    def size_matters(self) -> bool:
        """Return whether a value depends on the size of its clusters."""
        return any(cell.size_matters for line in self.lines for cell in line.cells)

    @property
    def parts(self) -> list[tuple[Slot, ...]]:
        """Return the columns of each part of each target, in cell order."""
        key = attrgetter("target", "part")
        return [tuple(slots) for _, slots in groupby(self.slots, key)]


def make_tables(
    rows: pd.DataFrame,
    systems: Sequence[System],
    protocol: Protocol,
    definitions: Mapping[str, Definition] = DEFINITIONS,
    eligible: Container[tuple[str, str]] | None = None,
    rule: int = RULE,
) -> list[Table]:
    """Return the benchmark's tables, without those of which no target was run.

    `definitions` are the metrics by name, in the versions that the rows were measured with.
    `eligible` are the (target, part) pairs where something can be forgotten; None for version 1 of
    the rule of damage. `rule` is that version.
    """
    headline = rows[rows["headline"]]
    run = set(headline["target"])
    tables = []
    for layout in protocol.tables:
        slots = tuple(
            Slot(target, part, column, protocol, definitions)
            for target in layout.targets
            for part, column in protocol.targets[target].columns
        )
        if run & set(layout.targets):
            lines = _with_damage(list(_lines(headline, systems, slots)), eligible, rule)
            tables.append(Table(layout.name, layout.title, slots, lines))
    return tables


def _lines(
    headline: pd.DataFrame, systems: Sequence[System], slots: Sequence[Slot]
) -> Iterable[Line]:
    # Row numbers instead of rows: a table for each cell would take 20 kB.
    places = headline.groupby(["system", "target", "part", "column"]).indices
    targets = {slot.target for slot in slots}
    names = labels(systems)
    for entry, members in entries(systems).items():
        if not any(system["target"] in (None, *targets) for system in members):
            continue
        cells = []
        for slot in slots:
            found = [
                place
                for system in members
                for place in places.get((system["name"], slot.target, slot.part, slot.column), ())
            ]
            cells.append(cell_of(slot, headline.iloc[found]))
        role = ROLES.get(entry, "")
        access = access_of(members[0]["method"])
        yield Line(entry, names[entry], role, tuple(cells), Damage(), access)


def _with_damage(
    lines: Sequence[Line], eligible: Container[tuple[str, str]] | None, rule: int
) -> tuple[Line, ...]:
    """Mark what each method destroyed or did not forget; the two bounds are not assessed."""
    cells = {line.entry: {cell.slot: cell for cell in line.cells} for line in lines}
    vanilla = cells.get(VANILLA, {})
    retain = None if eligible is None else cells.get(RETAIN_ONLY, {})
    marked = []
    for line in lines:
        if not line.role:
            damage = assess(line.cells, vanilla, retain, eligible or (), rule)
            own = (replace(cell, destroyed=cell.slot in damage.destroyed) for cell in line.cells)
            line = replace(line, cells=tuple(own), damage=damage)
        marked.append(line)
    return tuple(marked)
