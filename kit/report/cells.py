"""Cells of a table: one headline value with its interval, as printed and as stored.

All numbers of a report are formatted here (`number`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from kit.benchmarks.protocol import Protocol
from kit.benchmarks.records import Column
from kit.metrics import DEFINITIONS
from kit.metrics.definition import Definition

NO_NUMBER = "-"


@dataclass(frozen=True)
class Slot:
    """The position of a cell: `P-Eff` is the efficacy column of the person part.

    `definitions` are the metrics by name, in the versions that the result was measured with.
    """

    target: str
    part: str
    column: Column
    protocol: Protocol = field(compare=False, repr=False)
    definitions: Mapping[str, Definition] = field(
        default_factory=lambda: DEFINITIONS, compare=False, repr=False
    )

    @property
    def key(self) -> str:
        """Return the short name of the column, such as `P-Eff`."""
        return self.protocol.key(self.target, self.part, self.column)

    @property
    def heading(self) -> str:
        """Return the column's full name."""
        return self.protocol.headings[self.column].title

    @property
    def metric(self) -> str:
        """Return the name of the headline metric."""
        return self.protocol.parts[self.part].headline[self.column]

    @property
    def metric_id(self) -> str:
        """Return the headline metric with its version."""
        return self.definitions[self.metric].id

    @property
    def title(self) -> str:
        """Return what is forgotten and, where a target has several parts, the part."""
        return self.protocol.title(self.target, self.part)

    @property
    def better(self) -> str:
        """Return the better direction in this column: "higher", "lower" or ""."""
        return self.definitions[self.metric].better_in(self.column)

    @property
    def percent(self) -> bool:
        """Say whether CSV files hold this column in percent, as the paper prints it."""
        return self.definitions[self.metric].percent


@dataclass(frozen=True)
class Cell:
    """A stored value in [0, 1], or a difference in [-1, 1], or None with a reason.

    `signed` marks differences; `destroyed` what `kit.report.damage` found; `size_matters` where
    the size of clusters depends on their value (`kit.metrics.cluster_sizes`). `seed_range` is the
    lowest and the highest value of several seeds.
    """

    slot: Slot
    value: float | None
    reason: str = ""
    low: float | None = None
    high: float | None = None
    n: int = 0
    clusters: int = 0
    seeds: int = 1
    signed: bool = False
    destroyed: bool = False
    size_matters: bool = False
    seed_range: tuple[float, float] | None = None

    @property
    def text(self) -> str:
        """Return the value as pages print it, in percent whatever the metric, or `absent`."""
        return "absent" if self.value is None else self._printed(self.value)

    @property
    def interval(self) -> str:
        """Return `[low, high]` as printed; "" where there is no interval."""
        if self.low is None or self.high is None:
            return ""
        return f"[{self._printed(self.low)}, {self._printed(self.high)}]"

    @property
    def of_seeds(self) -> str:
        """Return the lowest and the highest value of several seeds as printed; "" for one seed."""
        if self.seed_range is None:
            return ""
        low, high = (self._printed(value) for value in self.seed_range)
        return f"{self.seeds} seeds: {low} to {high}"

    @property
    def holds_zero(self) -> bool:
        """Say whether a difference may be 0: its interval contains 0, or there is no interval."""
        return self.low is None or self.high is None or self.low <= 0 <= self.high

    @property
    def number(self) -> str:
        """Return the value in the table's unit for a CSV file, or `absent (reason)`."""
        if self.value is None:
            return f"absent ({self.reason})"
        return f"{round(self.value * (100 if self.slot.percent else 1), 4):g}"

    def as_json(self) -> dict[str, object]:
        """Return the stored values, not the printed ones."""
        return {
            "target": self.slot.target, "part": self.slot.part, "column": self.slot.column,
            "metric": self.slot.metric_id, "value": self.value, "reason": self.reason,
            "low": self.low, "high": self.high, "n": self.n, "clusters": self.clusters,
            "seeds": self.seeds, "destroyed": self.destroyed,
            **({"size_matters": True} if self.size_matters else {}),
            **({"seed_range": list(self.seed_range)} if self.seed_range else {}),
        }  # fmt: skip

    def _printed(self, value: float) -> str:
        return number(value, True, self.signed)


def number(value: float | None, percent: bool, signed: bool) -> str:
    """Return a stored value as printed; "-" for None.

    Args:
        value: a share in [0, 1], or a difference of shares.
        percent: print it in percent with one decimal, otherwise as it is with two.
        signed: print the sign of a positive value as well, as differences need it.
    """
    if value is None:
        return NO_NUMBER
    scaled, digits = (value * 100, 1) if percent else (value, 2)
    rounded = round(scaled, digits) + 0.0  # + 0.0 turns -0.0 into 0.0
    return f"{rounded:+.{digits}f}" if signed and rounded else f"{rounded:.{digits}f}"


def cell_of(slot: Slot, rows: pd.DataFrame) -> Cell:
    """Return the cell of one method from its headline rows, one row per seed.

    Over several seeds, the value is their mean and the interval spans the intervals of all seeds.
    That is wide rather than wrong: the spread of a few seeds cannot be estimated. If the value of
    one seed is absent, so is the cell.
    """
    if rows.empty:
        return Cell(slot, None, "not run")
    absent = rows[rows["value"].isna()]
    if len(absent):
        return Cell(slot, None, str(absent.iloc[0]["reason"]))
    return Cell(
        slot,
        float(rows["value"].mean()),
        low=None if rows["low"].isna().any() else float(rows["low"].min()),
        high=None if rows["high"].isna().any() else float(rows["high"].max()),
        n=int(rows["n"].min()),
        clusters=int(rows["clusters"].min()),
        seeds=len(rows),
    )
