"""Figures as plain shapes: one description, which a page prints as SVG and a paper as PNG too.

Coordinates are in px. A figure embeds no font: it uses that of the page and follows its light or
dark theme. The same result gives the same shapes on every machine.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Point = tuple[float, float]
LONGEST_LABEL = 24  # characters; longer names are cut, and whole in the tooltip


@dataclass(frozen=True)
class Style:
    """How a shape looks: colours on light and on dark pages, "" for none."""

    fill: tuple[str, str] = ("", "")
    stroke: tuple[str, str] = ("", "")
    width: float = 1.0  # of the stroke, px
    opacity: float = 1.0  # of fill and stroke
    dashes: tuple[float, float] = (0, 0)  # px
    size: float = 12  # of a text, px
    bold: bool = False


INK, SOFT, PAPER = ("#1d2433", "#e6e9f0"), ("#5b6475", "#a0a9ba"), ("#ffffff", "#14181f")
# Of Okabe and Ito's palette, which colour-blind readers can distinguish. Shapes differ as well.
BLUE, RED = ("#0b5cad", "#7db7f5"), ("#a83a09", "#fba074")
STYLES = {
    "text": Style(fill=INK),
    "title": Style(fill=INK, size=14, bold=True),
    "dim": Style(fill=SOFT, size=11),
    "frame": Style(stroke=SOFT, opacity=0.6),
    "grid": Style(stroke=SOFT, opacity=0.25),
    "goal": Style(stroke=INK, opacity=0.7, dashes=(3, 3)),
    "tether": Style(stroke=SOFT, opacity=0.8),
    "sound": Style(fill=BLUE, stroke=BLUE, width=1.5),
    "damaged": Style(fill=RED, stroke=RED, width=1.5),
    "little": Style(fill=PAPER, stroke=SOFT, width=1.5),
    "bound": Style(fill=PAPER, stroke=INK, width=1.8),
    "inverse": Style(fill=PAPER, size=9, bold=True),
    "number": Style(fill=INK, size=9, bold=True),
    "lost": Style(fill=RED, opacity=0.09),
    "lostline": Style(stroke=RED, opacity=0.7, dashes=(4, 4)),
    "losttext": Style(fill=RED, size=11),
    "curve": Style(stroke=BLUE, width=1.6),
    "control": Style(stroke=SOFT, width=1.4, dashes=(4, 3)),
    "cell": Style(fill=("#d55e00", "#d55e00")),
    "none": Style(fill=SOFT, opacity=0.12),
    "cellframe": Style(stroke=SOFT, opacity=0.3),
    "back": Style(stroke=RED, width=2),
}


@dataclass(frozen=True)
class Shape:
    """One shape: `points` are its corners, its centre, or where a text stands.

    `size` is the radius of a disc. `opacity` is multiplied with that of the style.
    """

    kind: Literal["path", "area", "disc", "text"]
    points: tuple[Point, ...]
    style: str
    size: float = 0
    text: str = ""
    anchor: Literal["start", "middle", "end"] = "start"
    turn: int = 0  # of a text, degrees clockwise
    opacity: float = 1.0
    tip: str = ""


@dataclass(frozen=True)
class Drawing:
    """A figure; `alt` is what it shows, for those who do not see it."""

    width: float
    height: float
    alt: str
    shapes: tuple[Shape, ...]


def line(style: str, *points: Point) -> Shape:
    """Return an open line through the points."""
    return Shape("path", tuple((_px(x), _px(y)) for x, y in points), style)


def box(style: str, x: float, y: float, width: float, height: float, **more: object) -> Shape:
    """Return a rectangle with its upper left corner."""
    corners = ((x, y), (x + width, y), (x + width, y + height), (x, y + height))
    points = tuple((_px(a), _px(b)) for a, b in corners)
    return replace(Shape("area", points, style), **more)  # type: ignore[arg-type]


def words(style: str, x: float, y: float, text: str, **more: object) -> Shape:
    """Return a text with its base line at `y`."""
    return replace(Shape("text", ((_px(x), _px(y)),), style, text=text), **more)  # type: ignore[arg-type]


def marker(style: str, form: str, x: float, y: float, radius: float, tip: str = "") -> Shape:
    """Return a marker: a disc, a square or a diamond."""
    x, y = _px(x), _px(y)
    if form == "disc":
        return Shape("disc", ((x, y),), style, radius, tip=tip)
    if form == "square":
        return box(style, x - radius, y - radius, 2 * radius, 2 * radius, tip=tip)
    far = _px(1.3 * radius)
    corners = ((x, y - far), (x + far, y), (x, y + far), (x - far, y))
    return Shape("area", corners, style, tip=tip)


def moved(shapes: Iterable[Shape], dx: float, dy: float) -> list[Shape]:
    """Return shapes moved to the right and down."""
    return [
        replace(each, points=tuple((_px(x + dx), _px(y + dy)) for x, y in each.points))
        for each in shapes
    ]


def stacked(drawings: Sequence[Drawing], alt: str, gap: float = 18) -> Drawing:
    """Return one figure of several, one below the other."""
    shapes: list[Shape] = []
    y = 0.0
    for each in drawings:
        shapes += moved(each.shapes, 0, y)
        y += each.height + gap
    width = max((each.width for each in drawings), default=0)
    return Drawing(width, max(y - gap, 0), alt, tuple(shapes))


def beside(left: Drawing, right: Drawing, alt: str) -> Drawing:
    """Return one figure of two, side by side."""
    shapes = (*left.shapes, *moved(right.shapes, left.width, 0))
    return Drawing(left.width + right.width, max(left.height, right.height), alt, shapes)


def short(label: str, most: int = LONGEST_LABEL) -> str:
    """Return a name that fits beside a marker."""
    return label if len(label) <= most else label[: most - 1] + "…"


def css(dark: bool = True) -> str:
    """Return the style sheet of all figures; `dark`: with a part for dark pages."""
    rules = [".dr{max-width:100%;height:auto;font-family:system-ui,Helvetica,Arial,sans-serif}"]
    rules += [f".dr .{name}{{{_rule(style, 0)}}}" for name, style in STYLES.items()]
    if dark:
        own = "".join(f".dr .{name}{{{_colours(style, 1)}}}" for name, style in STYLES.items())
        rules.append(f"@media (prefers-color-scheme:dark){{{own}}}")
    return "\n".join(rules) + "\n"


def _colours(style: Style, theme: int) -> str:
    return f"fill:{style.fill[theme] or 'none'};stroke:{style.stroke[theme] or 'none'}"


def _rule(style: Style, theme: int) -> str:
    said = [_colours(style, theme)]
    if style.stroke[0]:
        said.append(f"stroke-width:{style.width:g};stroke-opacity:{style.opacity:g}")
    if style.fill[0]:
        said.append(f"fill-opacity:{style.opacity:g};font-size:{style.size:g}px")
    if style.dashes[0]:
        said.append(f"stroke-dasharray:{style.dashes[0]:g} {style.dashes[1]:g}")
    if style.bold:
        said.append("font-weight:600")
    return ";".join(said)


def _px(value: float) -> float:
    return round(value, 1) + 0.0
