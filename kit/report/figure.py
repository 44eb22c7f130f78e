"""The trade-off figure: forgetting versus retention, a plane with a list of intervals beside it.

Methods that forget well crowd in one corner. Markers that would cover each other are moved apart,
and a line leads to the measured point. Each carries a number, which the list explains; the
intervals are drawn in the list, where they cannot cover each other.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kit.benchmarks.records import Column
from kit.experiment.systems import RETAIN_ONLY, VANILLA
from kit.report.cells import Cell, Slot
from kit.report.damage import MIN_KEPT_SHARE
from kit.report.drawing import (
    Drawing,
    Shape,
    beside,
    box,
    line,
    marker,
    short,
    stacked,
    words,
)
from kit.report.tables import Line, Table

LEFT, TOP, SIDE = 46, 34, 300  # px; the plot is a square of side SIDE
MARGIN = 0.1  # share of the axis beyond 0 and 1, room for markers that are moved apart
RADIUS, APART = 7.0, 16.5  # px: of a marker, and from centre to centre
RINGS = 14  # how far a marker may be moved, in steps of APART
# Of the list, px.
LABEL_X, STRIP_X, STRIP, GAP, ROW = 24, 190, 84, 28, 18
LITTLE = ("forgot nothing", "under-forgets")
LETTERS = {VANILLA: "V", RETAIN_ONLY: "R"}
MEANING = (
    "Blue discs: methods without a mark of damage. Red squares: collapsed or over-forgetting. "
    "Hollow discs: forgot nothing, or too little. V is Vanilla, R is Retain-only, the goal. "
    "Markers that would cover each other are moved apart, and a line leads to the measured point. "
    "Bars are 95 % intervals; the dashed line is Retain-only."
)


@dataclass(frozen=True)
class Spot:
    """One method in the plane: its measured point in px, and where its marker stands."""

    label: str
    sign: str
    style: str
    form: str
    point: tuple[float, float]
    place: tuple[float, float]
    forget: Cell
    keep: Cell


@dataclass(frozen=True)
class Panel:
    """One part of one target; `threshold` in px: a method below it over-forgets."""

    name: str
    title: str
    across: str
    up: str
    threshold: float | None
    spots: tuple[Spot, ...]

    @property
    def plane(self) -> Drawing:
        """Return the plane with its markers."""
        return Drawing(LEFT + SIDE + 12, TOP + SIDE + 46, self._alt, tuple(_plane(self)))

    @property
    def intervals(self) -> Drawing:
        """Return the list of methods with their intervals."""
        height = TOP + ROW * len(self.spots) + 26
        width = STRIP_X + 2 * STRIP + GAP + 12
        return Drawing(width, height, f"{self.title}: intervals of each method", tuple(_list(self)))

    @property
    def _alt(self) -> str:
        said = (f"{s.label} {s.forget.text} and {s.keep.text}" for s in self.spots)
        return f"{self.title}, {self.across} and {self.up}, in percent: {'; '.join(said)}"


def make_panels(tables: Sequence[Table]) -> list[Panel]:
    """Return the panels in reading order; parts that were not run have none."""
    both = {Column.EFFICACY, Column.RETAIN}
    pairs = [(table, part) for table in tables for part in table.parts]
    made = [_panel(table, part) for table, part in pairs if both <= {s.column for s in part}]
    return [panel for panel in made if panel.spots]


def trade_off(tables: Sequence[Table]) -> Drawing:
    """Return all panels as one figure."""
    panels = [beside(p.plane, p.intervals, p.title) for p in make_panels(tables)]
    return stacked(panels, "Forgetting versus retention, one marker per method")


def _panel(table: Table, part: Sequence[Slot]) -> Panel:
    forget = next(slot for slot in part if slot.column is Column.EFFICACY)
    retain = next(slot for slot in part if slot.column is Column.RETAIN)
    threshold = None
    found: list[tuple[Line, Cell, Cell, str]] = []
    number = 0
    for each in table.lines:
        cells = {cell.slot: cell for cell in each.cells}
        across, up = cells[forget], cells[retain]
        number += not each.role
        if up.value is not None and each.entry == VANILLA:
            threshold = _y(up.value * MIN_KEPT_SHARE)
        if across.value is not None and up.value is not None:
            found.append((each, across, up, LETTERS.get(each.entry, str(number))))
    points = [(_x(across.value or 0), _y(up.value or 0)) for _, across, up, _ in found]
    places: dict[int, tuple[float, float]] = {}
    # The bounds keep their places, and the methods make room for them.
    for n in sorted(range(len(found)), key=lambda n: not found[n][0].role):
        places[n] = free_place(points[n], list(places.values()))
    spots = [
        Spot(each.label, sign, *_look(each, retain.part), points[n], places[n], across, up)
        for n, (each, across, up, sign) in enumerate(found)
    ]
    title = f"still known ({forget.heading}), lower is better"
    if forget.better == "higher":
        title = f"forgotten ({forget.heading})"
    name = f"{forget.target}_{forget.part}"
    return Panel(name, forget.title, title, f"kept ({retain.heading})", threshold, tuple(spots))


def _look(each: Line, part: str) -> tuple[str, str]:
    if each.role:
        return "bound", "diamond" if each.entry == RETAIN_ONLY else "square"
    marks = {mark for mark, parts in each.damage.marks.items() if part in parts}
    if marks & set(LITTLE):
        return "little", "disc"
    return ("damaged", "square") if marks else ("sound", "disc")


def free_place(point: tuple[float, float], taken: Sequence[tuple[float, float]]) -> tuple[
    float, float
]:  # fmt: skip
    """Return the place nearest to a point that is inside the plot and clear of all markers.

    Where there is none, the point itself.
    """
    for x, y in _around(point):
        inside = abs(x - LEFT - SIDE / 2) < SIDE / 2 - RADIUS
        inside = inside and abs(y - TOP - SIDE / 2) < SIDE / 2 - RADIUS
        if inside and all(math.hypot(x - a, y - b) >= APART for a, b in taken):
            return x, y
    return point


def _around(point: tuple[float, float]) -> Iterator[tuple[float, float]]:
    """Yield the point, and then rings around it, each with as many places as it has room for."""
    yield point
    for ring in range(1, 2 * RINGS + 1):
        radius = ring * APART / 2
        places = max(6, int(2 * math.pi * radius / (APART / 2)))
        for step in range(places):
            turn = 2 * math.pi * step / places
            x, y = point[0] - radius * math.cos(turn), point[1] + radius * math.sin(turn)
            yield round(x, 1), round(y, 1)


def _plane(panel: Panel) -> Iterator[Shape]:
    right, bottom = LEFT + SIDE, TOP + SIDE
    yield words("title", LEFT, 20, panel.title)
    if panel.threshold is not None:
        y = panel.threshold
        yield box("lost", LEFT, y, SIDE, bottom - y)
        yield line("lostline", (LEFT, y), (right, y))
        yield words("losttext", LEFT + 6, y + 14, "over-forgetting: below half of Vanilla")
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = _x(value), _y(value)
        yield line("grid", (x, TOP), (x, bottom))
        yield line("grid", (LEFT, y), (right, y))
        yield words("dim", x, bottom + 15, f"{100 * value:.0f}", anchor="middle")
        yield words("dim", LEFT - 6, y + 4, f"{100 * value:.0f}", anchor="end")
    yield box("frame", LEFT, TOP, SIDE, SIDE)
    middle = LEFT + SIDE / 2
    yield words("text", middle, bottom + 36, f"{panel.across}, % →", anchor="middle")
    up = f"{panel.up}, % →"
    yield words("text", 12, TOP + SIDE / 2, up, anchor="middle", turn=-90)
    for spot in panel.spots:
        if spot.place != spot.point:
            yield line("tether", spot.point, spot.place)
    for spot in panel.spots:
        yield from _sign(spot, *spot.place)


def _sign(spot: Spot, x: float, y: float) -> Iterator[Shape]:
    values = (f"{cell.text} {cell.interval}".strip() for cell in (spot.forget, spot.keep))
    tip = "{}: forget {}, retain {}".format(spot.label, *values)
    yield marker(spot.style, spot.form, x, y, RADIUS, tip)
    dark = spot.style in ("sound", "damaged")
    yield words("inverse" if dark else "number", x, y + 3.2, spot.sign, anchor="middle")


def _list(panel: Panel) -> Iterator[Shape]:
    starts = (STRIP_X, STRIP_X + STRIP + GAP)
    bottom = TOP + ROW * len(panel.spots)
    heads = ("forgotten" if panel.across.startswith("forgotten") else "still known", "kept")
    for start, head in zip(starts, heads, strict=True):
        yield words("text", start + STRIP / 2, 20, f"{head}, %", anchor="middle")
        for value in (0.0, 0.5, 1.0):
            x = start + STRIP * value
            yield line("grid", (x, TOP - 6), (x, bottom))
            yield words("dim", x, bottom + 15, f"{100 * value:.0f}", anchor="middle")
    goal = next((spot for spot in panel.spots if spot.sign == LETTERS[RETAIN_ONLY]), None)
    if goal is not None:
        for start, cell in zip(starts, (goal.forget, goal.keep), strict=True):
            x = start + STRIP * (cell.value or 0.0)
            yield line("goal", (x, TOP - 6), (x, bottom))
    for place, spot in enumerate(panel.spots):
        y = TOP + ROW * place + ROW / 2
        yield from _sign(spot, RADIUS + 3, y)
        yield words("text", LABEL_X, y + 4, short(spot.label), tip=spot.label)
        for start, cell in zip(starts, (spot.forget, spot.keep), strict=True):
            if cell.low is not None and cell.high is not None:
                ends = (start + STRIP * end for end in (cell.low, cell.high))
                yield line(_bar(spot), *((x, y) for x in ends))
            yield marker(spot.style, spot.form, start + STRIP * (cell.value or 0.0), y, 3)


def _bar(spot: Spot) -> str:
    return {"little": "tether", "bound": "bound"}.get(spot.style, spot.style)


def _x(value: float) -> float:
    return round(LEFT + SIDE * (value + MARGIN) / (1 + 2 * MARGIN), 1)


def _y(value: float) -> float:
    return round(TOP + SIDE * (1 + MARGIN - value) / (1 + 2 * MARGIN), 1)
