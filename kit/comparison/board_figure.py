"""One claim in many results: each value with its interval, against that of the reference."""

from dataclasses import dataclass

from kit.report.drawing import Drawing, Shape, box, line, marker, words
from kit.verdicts.outcome import Outcome, Verdict

LEFT, PLOT, ROW, TOP = 44, 400, 17, 20  # px
RADIUS = 4.0
MARKS = {Outcome.REPRODUCED: ("sound", "disc"), Outcome.NOT_REPRODUCED: ("damaged", "square")}
UNDECIDED = ("little", "disc")


@dataclass(frozen=True)
class Point:
    """A row of the figure: a result's own verdict on the claim, and whether it is reproduced."""

    label: str
    verdict: Verdict
    outcome: Outcome


def draw_claim(reference: Verdict, points: list[Point]) -> Drawing:
    """Return the figure of one claim; its axis is the whole range of the claim's values.

    The band is the margin of equivalence around the reference's value.
    """
    claim = reference.claim
    low, high = claim.range
    bottom = TOP + ROW * (len(points) + 1)

    def x(value: float) -> float:
        return LEFT + PLOT * (min(max(value, low), high) - low) / (high - low)

    shapes: list[Shape] = []
    for value in (low, (low + high) / 2, high):
        shapes.append(line("grid", (x(value), TOP), (x(value), bottom)))
        shapes.append(words("dim", x(value), bottom + 14, f"{100 * value:.0f}", anchor="middle"))
    if (goal := reference.estimate) is not None:
        ends = x(goal.value - claim.equivalence), x(goal.value + claim.equivalence)
        shapes.append(box("none", ends[0], TOP, ends[1] - ends[0], bottom - TOP))
        shapes.append(line("goal", (x(goal.value), TOP), (x(goal.value), bottom)))
    rows = [("Ref.", reference, ("bound", "diamond"))]
    rows += [(p.label, p.verdict, MARKS.get(p.outcome, UNDECIDED)) for p in points]
    for number, (label, verdict, (style, form)) in enumerate(rows):
        y = TOP + ROW * (number + 0.5)
        shapes.append(words("dim", LEFT - 8, y + 4, label, anchor="end"))
        found = verdict.estimate
        if found is None:
            shapes.append(words("dim", LEFT + 4, y + 4, "no value"))
            continue
        if found.low is not None and found.high is not None:
            shapes.append(line("tether", (x(found.low), y), (x(found.high), y)))
        shapes.append(marker(style, form, x(found.value), y, RADIUS, tip=label))
    alt = f"Claim {claim.id}: the values of {len(points)} results and of the reference."
    return Drawing(LEFT + PLOT + 24, bottom + 20, alt, tuple(shapes))
