"""What the answer browser shows of a result, and how much of it where a page would be too large."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from kit.experiment.systems import RETAIN_ONLY, VANILLA
from kit.metrics.rows import Measured
from kit.report.damage import assess
from kit.report.tables import Table
from kit.result.losses import Curve
from kit.result.run_file import System, entries

BOUNDS = (VANILLA, RETAIN_ONLY)
Marks = Mapping[tuple[str, str], list[str]]


@dataclass(frozen=True)
class Stored:
    """What pages show of a result beside the measured answers.

    Args:
        records: records.parquet.
        attacked: answers/attacked.parquet; None in a result without attacks.
        pictures: {name of an image: its thumbnail, WebP as base64}; empty without pictures.
        losses: {name of a kept adapter: its losses, thinned}; not of the browser.
    """

    records: pd.DataFrame
    attacked: pd.DataFrame | None = None
    pictures: Mapping[str, str] = field(default_factory=dict)
    losses: Mapping[str, Curve] = field(default_factory=dict)

    @property
    def images(self) -> dict[str, str]:
        """Return {record id: name of its image}; "" for a question without one."""
        return dict(zip(self.records["id"], self.records["image"], strict=True))


@dataclass(frozen=True)
class Shown:
    """What the browser shows.

    Args:
        measured: the answers with their values.
        marks: {(entry, target): marks} of damaged methods.
        stored: tables of the result.
        attacks: {name of an attack: what tables print for it}.
    """

    measured: Measured
    marks: Marks
    stored: Stored
    attacks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Extent:
    """How much is shown: everything, unless that would be too large for a page.

    `all_seeds`: every seed of a method, or the first alone. `every`: each record, each second one,
    and so on. `characters`: of one text; what follows is left out, and its length is stated.
    """

    all_seeds: bool = True
    every: int = 1
    characters: int = 4000

    def systems(self, systems: Sequence[System]) -> list[System]:
        """Return the systems that are shown, in the order of the tables, with seeds rising."""
        chosen: list[System] = []
        for members in entries(systems).values():
            own = sorted(members, key=lambda s: (s["target"] or "", s["seed"] or 0, s["name"]))
            seen: set[str | None] = set()
            for system in own:
                if self.all_seeds or system["target"] not in seen:
                    chosen.append(system)
                seen.add(system["target"])
        return chosen

    def count(self, shown: Shown) -> int:
        """Return about how many answers such a page would hold, without making it."""
        measured = shown.measured
        answers = sum(
            len(group.ids)
            for system in self.systems(measured.systems)
            for group in measured.groups
            if system["target"] in (None, group.target)
        )
        attacked = 0 if shown.stored.attacked is None else len(shown.stored.attacked)
        return (answers + attacked) // self.every

    def smaller(self) -> "Extent":
        """Return the next smaller extent: without further seeds, shorter texts, fewer records."""
        if self.all_seeds:
            return Extent(False, self.every, self.characters)
        if self.characters > SHORT:
            return Extent(False, self.every, SHORT)
        return Extent(False, 2 * self.every, SHORT)


SHORT = 300  # characters


def pictures_of(table: pd.DataFrame | None) -> dict[str, str]:
    """Return {name of an image: its thumbnail} of pictures.parquet; empty where there is none."""
    return {} if table is None else dict(zip(table["image"], table["webp"], strict=True))


def marks_of(
    tables: Sequence[Table], eligible: Container[tuple[str, str]], rule: int
) -> dict[tuple[str, str], list[str]]:
    """Return the marks of each method for each target, by the rule that the tables print.

    Args:
        tables: the benchmark's.
        eligible: the (target, part) pairs where something can be forgotten.
        rule: version of the rule of damage.
    """
    found = {}
    for table in tables:
        cells = {line.entry: {cell.slot: cell for cell in line.cells} for line in table.lines}
        vanilla, retain = (cells.get(bound, {}) for bound in BOUNDS)
        for line in table.lines:
            for target in table.targets:
                own = [cell for cell in line.cells if cell.slot.target == target]
                if own and not line.role:
                    damage = assess(own, vanilla, retain, eligible, rule)
                    found[line.entry, target] = list(damage.marks)
    return found
