"""Small charts of one method: its losses while it was trained, and what relearning brings back."""

from collections.abc import Sequence
from dataclasses import dataclass

from kit.report.drawing import Drawing, Point, Shape, box, line, marker, words
from kit.result.losses import Curve

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 250, 132, 50, 24, 12, 22  # px
MOST_DOTS = 12  # of a line; more would hide it


@dataclass(frozen=True)
class Track:
    """One line of a chart: its style, and (x, y) in the units of the axes."""

    style: str
    points: Sequence[tuple[float, float]]


def loss_chart(curves: Sequence[Curve]) -> Drawing:
    """Return the losses of the seeds of one method with one target, one line each."""
    values = [loss for curve in curves for _, loss in curve]
    low, high = min(values), max(values)
    alt = f"Loss of {len(curves)} training runs, between {low:.3g} and {high:.3g}"
    tracks = [Track("curve", curve) for curve in curves]
    title = "loss" if len(curves) == 1 else f"loss, {len(curves)} seeds"
    return _chart(title, tracks, (low, high), "step", alt)


def relearning_chart(
    title: str, own: Sequence[tuple[float, float]], control: Sequence[tuple[float, float]]
) -> Drawing:
    """Return what a method and Retain-only know under one attack, by its level.

    Args:
        title: of the attack.
        own, control: (level, share known), from level 0, which is without the attack.
    """
    said = ", ".join(f"{100 * share:.0f} % at {level:g}" for level, share in own)
    alt = f"{title}: known by the method {said}; the dashed line is Retain-only"
    tracks = [Track("control", control), Track("curve", own)]
    percent = [Track(t.style, [(level, 100 * share) for level, share in t.points]) for t in tracks]
    return _chart(f"{title}: known, %", percent, (0, 100), "level", alt)


def _chart(
    title: str, tracks: Sequence[Track], limits: tuple[float, float], unit: str, alt: str
) -> Drawing:
    low, high = limits
    across = [x for track in tracks for x, _ in track.points]
    first, last = min(across), max(across)
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM

    def place(x: float, y: float) -> Point:
        left = (x - first) / (last - first) if last > first else 0.5
        up = (y - low) / (high - low) if high > low else 0.5
        return LEFT + left * (right - LEFT), bottom - up * (bottom - TOP)

    shapes: list[Shape] = [
        words("text", LEFT, 15, title),
        box("frame", LEFT, TOP, right - LEFT, bottom - TOP),
        words("dim", LEFT - 5, TOP + 8, f"{high:.3g}", anchor="end"),
        words("dim", LEFT, bottom + 14, f"{first:g}"),
        words("dim", right, bottom + 14, f"{unit} {last:g}", anchor="end"),
    ]
    if low != high:
        shapes.append(words("dim", LEFT - 5, bottom, f"{low:.3g}", anchor="end"))
    for track in tracks:
        places = [place(x, y) for x, y in track.points]
        shapes.append(line(track.style, *places))
        if len(places) <= MOST_DOTS and track.style == "curve":
            shapes += [marker("sound", "disc", x, y, 2.5) for x, y in places]
    return Drawing(WIDTH, HEIGHT, alt, tuple(shapes))
