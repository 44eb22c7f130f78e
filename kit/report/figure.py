"""The trade-off figure: forgetting versus retention, drawn as SVG without a plotting library.

Coordinates are computed here and printed by a template. The file is small and equal on every
machine. It embeds no font: it uses the font of the page and follows its light or dark theme.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from kit.benchmarks.records import Column
from kit.experiment.systems import RETAIN_ONLY, VANILLA
from kit.report.cells import Cell, Slot
from kit.report.damage import MIN_KEPT_SHARE
from kit.report.tables import Line, Table

PANEL_WIDTH, PANEL_HEIGHT = 560, 372
LEFT, TOP, SIDE = 58, 46, 270  # px; the plot is a square of side SIDE
MARGIN = 0.04  # share of the axis beyond 0 and 1; markers there are not cut off
LABEL_X, LABEL_STEP = LEFT + SIDE + 34, 19
# Okabe and Ito's palette, which colour-blind readers can distinguish, without its pale yellow. The
# last six are for long tables. A leader line connects each marker with its label in any case.
COLOURS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#8c564b",
    "#7f7f7f", "#a3b500", "#2f4b7c", "#17becf",
)  # fmt: skip


@dataclass(frozen=True)
class Point:
    """One marker: centre, error bars and label in px, and the text of its tooltip."""

    x: float
    y: float
    bars: tuple[float, float, float, float] | None  # left, right, top, bottom
    label: str
    label_y: float
    shape: str  # "vanilla", "retain_only", "method", "collapsed"
    colour: str
    tip: str


@dataclass(frozen=True)
class Panel:
    """One part of one target, with its points."""

    x: int
    y: int
    title: str
    percent: bool
    threshold: float | None  # px; a method below it over-forgets
    across: str
    up: str
    points: tuple[Point, ...]


def make_panels(tables: Sequence[Table]) -> list[Panel]:
    """Return the panels in reading order, two per row; parts that were not run have none."""
    pairs = [(table, part) for table in tables for part in table.parts]
    both = {Column.EFFICACY, Column.RETAIN}
    shown = [
        (table, part)
        for table, part in pairs
        if both <= {slot.column for slot in part} and _is_measured(table, part)
    ]
    return [
        _panel(table, part, place % 2 * PANEL_WIDTH, place // 2 * PANEL_HEIGHT)
        for place, (table, part) in enumerate(shown)
    ]


def _is_measured(table: Table, part: Sequence[Slot]) -> bool:
    cells = (cell for line in table.lines for cell in line.cells)
    return any(cell.value is not None for cell in cells if cell.slot in part)


def _panel(table: Table, part: Sequence[Slot], x: int, y: int) -> Panel:
    forget = next(slot for slot in part if slot.column is Column.EFFICACY)
    retain = next(slot for slot in part if slot.column is Column.RETAIN)
    colours = _colours(table.lines)
    threshold = None
    points = []
    for line in table.lines:
        cells = {cell.slot: cell for cell in line.cells}
        point = _point(line, cells[forget], cells[retain], colours[line.entry])
        if point is not None:
            points.append(point)
        kept = cells[retain].value
        if line.entry == VANILLA and kept is not None:
            threshold = _y(kept * MIN_KEPT_SHARE)
    across = f"still known ({forget.heading}), lower is better"
    if forget.better == "higher":
        across = f"forgotten ({forget.heading})"
    up = f"kept ({retain.heading})"
    title, percent = forget.title, forget.percent
    return Panel(x, y, title, percent, threshold, across, up, tuple(_spread(points)))


def _colours(lines: Iterable[Line]) -> dict[str, str]:
    """Assign colours to methods by table order; the bounds take the colour of the text."""
    methods = [line.entry for line in lines if not line.role]
    fixed = {VANILLA: "currentColor", RETAIN_ONLY: "currentColor"}
    return fixed | {entry: COLOURS[n % len(COLOURS)] for n, entry in enumerate(methods)}


def _point(line: Line, across: Cell, up: Cell, colour: str) -> Point | None:
    """Return a method's marker, or None if one of its two values is absent."""
    if across.value is None or up.value is None:
        return None
    bars = None
    if not (across.low is None or across.high is None or up.low is None or up.high is None):
        bars = (_x(across.low), _x(across.high), _y(up.high), _y(up.low))
    shape = line.entry if line.role else "method"
    if up.slot.part in line.damage.marks.get("collapsed", ()):
        shape = "collapsed"
    forgotten, kept = (f"{cell.text} {cell.interval}".strip() for cell in (across, up))
    tip = f"{line.label}: forget {forgotten}, retain {kept}"
    x, y = _x(across.value), _y(up.value)
    return Point(x, y, bars, line.label, y, shape, colour, tip)


def _spread(points: Sequence[Point]) -> list[Point]:
    """Move labels apart, first down and then back up, so that none covers another."""
    ordered = sorted(points, key=lambda p: (p.y, -p.x, p.label))
    places = [p.y for p in ordered]
    for n in range(1, len(places)):
        places[n] = max(places[n], places[n - 1] + LABEL_STEP)
    floor = TOP + SIDE + 8.0
    for n in reversed(range(len(places))):
        places[n] = min(places[n], floor)
        floor = places[n] - LABEL_STEP
    return [replace(p, label_y=round(place, 1)) for p, place in zip(ordered, places, strict=True)]


def _x(value: float) -> float:
    return round(LEFT + SIDE * (value + MARGIN) / (1 + 2 * MARGIN), 1)


def _y(value: float) -> float:
    return round(TOP + SIDE * (1 + MARGIN - value) / (1 + 2 * MARGIN), 1)


def axis_ticks(percent: bool) -> list[tuple[float, float, str]]:
    """Return (x, y, text) of the five ticks that both axes share."""
    values = (0.0, 0.25, 0.5, 0.75, 1.0)
    return [(_x(v), _y(v), f"{100 * v:.0f}" if percent else f"{v:g}") for v in values]
