"""The rows of a comparison as a table in Markdown, and as a figure."""

from collections.abc import Iterator, Sequence
from math import log
from statistics import median

from kit.report.drawing import Drawing, Shape, line, marker, words
from tests.bench.against.turns import Row, coverage

HEAD = (
    "| what | kit | baseline | ratio | interval | wanted | baseline, in words | equal |",
    "|---|---|---|---|---|---|---|---|",
)
LABELS, PLOT, NUMBERS, ROW, TOP = 380, 300, 110, 26, 44  # px
RADIUS = 5.0
FACTOR = 2  # between two marks of the axis


def table(rows: Sequence[Row]) -> str:
    """Return the table; medians of all repetitions, and the interval of the ratio."""
    return "\n".join([*HEAD, *map(_line, rows)])


def how(rows: Sequence[Row], clock: str) -> Iterator[str]:
    """Yield what the numbers are, in lines."""
    repeats = max((len(row.kit) for row in rows), default=0)
    held = f"{coverage(repeats):.0%} (1 - 2 x 0.5^{repeats})"
    yield f"Rates are of {clock}: medians of {repeats} repetitions, in which the ways take turns."
    yield "A ratio is the median of kit / baseline over the repetitions. Its interval goes from the"
    yield f"least to the largest of these {repeats} ratios, and holds the true median with"
    yield f"probability {held}. Bytes are counted, and have no interval."


def figure(rows: Sequence[Row]) -> Drawing:
    """Return one line for each rate: its ratio, its interval, and what is wanted, on a log axis."""
    shown = [row for row in rows if row.is_rate]
    values = [value for row in shown for value in (*row.ratios, row.wanted or 1.0)]
    low, high = _ends(values)
    width, height = LABELS + PLOT + NUMBERS, TOP + ROW * len(shown) + 34
    shapes = [words("title", 0, 16, "How many times as fast as the baseline")]
    shapes += _axis(low, high, height)
    for number, row in enumerate(shown):
        shapes += _drawn(row, TOP + ROW * (number + 0.5), low, high)
    shapes.append(
        words("dim", 0, height - 6, "Bars: least to largest of the repetitions. Diamonds: wanted.")
    )
    said = "; ".join(f"{row.name}: {row.ratio:.2f} times as fast" for row in shown)
    return Drawing(width, height, said, tuple(shapes))


def _line(row: Row) -> str:
    low, high = min(row.ratios), max(row.ratios)
    interval = f"{low:.2f} to {high:.2f}" if row.is_rate else "counted"
    wanted = "" if row.wanted is None else f"{row.wanted:g} or {'more' if row.is_rate else 'less'}"
    missed = "" if row.reached else ", missed"
    kit, peer = (_number(median(each), row.unit) for each in (row.kit, row.peer))
    cells = (
        row.name, kit, peer, f"{row.ratio:.2f}", interval, wanted + missed, row.baseline, row.equal,
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _number(value: float, unit: str) -> str:
    return f"{value / 1e6:.1f} MB" if unit == "bytes" else f"{value:.3g} {unit}"


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """Return the powers of two around all values, and around 1."""
    low = high = 1.0
    while low > min(values, default=1.0):
        low /= FACTOR
    while high < max(values, default=1.0):
        high *= FACTOR
    return low, max(high, FACTOR * low)


def _axis(low: float, high: float, height: float) -> Iterator[Shape]:
    mark = low
    while mark <= high:
        x = _x(mark, low, high)
        yield line("goal" if mark == 1 else "grid", (x, TOP - 8), (x, height - 30))
        yield words("dim", x, TOP - 14, f"{mark:g}", anchor="middle")
        mark *= FACTOR


def _drawn(row: Row, y: float, low: float, high: float) -> Iterator[Shape]:
    style = "sound" if row.reached else "damaged"
    least, most = min(row.ratios), max(row.ratios)
    yield words("text", 0, y + 4, row.name)
    yield line(style, (_x(least, low, high), y), (_x(most, low, high), y))
    yield marker(style, "disc" if row.reached else "square", _x(row.ratio, low, high), y, RADIUS)
    if row.wanted is not None:
        yield marker("bound", "diamond", _x(row.wanted, low, high), y, RADIUS, tip="wanted")
    yield words("dim", LABELS + PLOT + 12, y + 4, f"{row.ratio:.2f} ({least:.2f} to {most:.2f})")


def _x(value: float, low: float, high: float) -> float:
    return LABELS + PLOT * log(value / low) / log(high / low)
