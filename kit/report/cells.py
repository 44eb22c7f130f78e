"""Cells of a table: one headline value with its interval, ready to print and to compare."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from kit.benchmarks.protocol import Protocol
from kit.benchmarks.records import Column
from kit.metrics import DEFINITIONS
from kit.metrics.definition import Definition


@dataclass(frozen=True)
class Slot:
    """Where a cell stands: `P-Eff` is the efficacy column of the person part.

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
        """Return the short name of the column, as the benchmark prints it."""
        return f"{self.protocol.parts[self.part].short}-{self.protocol.headings[self.column].short}"

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
    def unit(self) -> str:
        """Return the unit in which tables print this column."""
        return self.definitions[self.metric].unit

    @property
    def title(self) -> str:
        """Return what is forgotten and, where several parts are measured, which."""
        return self.protocol.title(self.target, self.part)

    @property
    def better(self) -> str:
        """Return "higher", "lower" or "": the direction that is good in this column."""
        return self.definitions[self.metric].better_in(self.column)

    @property
    def percent(self) -> bool:
        """Say whether tables print this column in percent, as the paper does."""
        return self.definitions[self.metric].percent


@dataclass(frozen=True)
class Cell:
    """A stored value in [0, 1] (or a difference in [-1, 1]), or None with the reason."""

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

    @property
    def text(self) -> str:
        """Return the value as printed, or `absent`."""
        return "absent" if self.value is None else self._number(self.value)

    @property
    def interval(self) -> str:
        """Return `[low, high]` as printed; empty where there is none."""
        if self.low is None or self.high is None:
            return ""
        return f"[{self._number(self.low)}, {self._number(self.high)}]"

    @property
    def holds_zero(self) -> bool:
        """Say whether a difference may be none: its interval holds 0, or there is no interval."""
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
        }  # fmt: skip

    def _number(self, value: float) -> str:
        scaled = value * 100 if self.slot.percent else value
        digits = 1 if self.slot.percent else 2
        rounded = round(scaled, digits) + 0.0  # + 0.0 turns -0.0 into 0.0
        return f"{rounded:+.{digits}f}" if self.signed and rounded else f"{rounded:.{digits}f}"


def cell_of(slot: Slot, rows: pd.DataFrame) -> Cell:
    """Return the cell of one method from its headline rows, one row a seed.

    Over several seeds the value is their mean, and the interval spans the seeds' intervals: wide
    rather than wrong, for with few seeds their spread cannot be estimated. A seed whose value is
    absent makes the cell absent.
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
