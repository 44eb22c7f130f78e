"""When forgetting is really damage: a rule declared beforehand, printed with every table.

PEBench's own Table 1 shows why it is needed: every method there reaches about 100 % efficacy and
loses at least three quarters of the people it should have kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kit.metrics import HEADLINE
from kit.records import Column
from kit.report.cells import Cell, Slot

LOST = 0.5  # share of Vanilla's ability below which a column counts as destroyed
CHANCE = {"presence_accuracy": 0.5}  # yes/no questions; the other metrics have no floor but 0
KEPT = (Column.RETAIN, Column.SCOPE, Column.REAL, Column.WORLD)
RULE = (
    "A column that is to be kept counts as destroyed when less than half of Vanilla's score is "
    "left (World: less than half of Vanilla's distance above chance, 50 %). A method over-forgets "
    "when Retain of its own concept is destroyed: it forgot the people or events it should have "
    "kept. It has collapsed when World or Scope, which ask for something else, are destroyed as "
    "well: the model is broken, and its Efficacy says nothing about forgetting."
)


@dataclass(frozen=True)
class Verdict:
    """`marks` maps "collapsed" and "over-forgets" to the halves where they hold, if any."""

    marks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    destroyed: frozenset[Slot] = frozenset()


def judge(cells: Sequence[Cell], vanilla: Mapping[Slot, Cell]) -> Verdict:
    """Apply `RULE` to one method's cells, each half of each target on its own.

    Absent cells, and columns in which Vanilla itself is no better than chance, destroy nothing.
    """
    destroyed = frozenset(c.slot for c in cells if _is_destroyed(c, vanilla.get(c.slot)))
    marks: dict[str, tuple[str, ...]] = {}
    for target, half in dict.fromkeys((cell.slot.target, cell.slot.half) for cell in cells):
        lost = {s.column for s in destroyed if (s.target, s.half) == (target, half)}
        if Column.RETAIN in lost:
            mark = "collapsed" if lost & {Column.SCOPE, Column.WORLD} else "over-forgets"
            marks[mark] = (*marks.get(mark, ()), str(half))
    return Verdict(dict(sorted(marks.items())), destroyed)


def _is_destroyed(cell: Cell, vanilla: Cell | None) -> bool:
    if cell.slot.column not in KEPT or vanilla is None:
        return False
    share = kept_share(cell.value, vanilla.value, HEADLINE[cell.slot.half, cell.slot.column])
    return share is not None and share < LOST


def kept_share(value: float | None, vanilla: float | None, metric: str) -> float | None:
    """Return how much of Vanilla's score above chance is left; None where it had none."""
    floor = CHANCE.get(metric, 0.0)
    if value is None or vanilla is None or vanilla <= floor:
        return None
    # Rounded, so that exactly one half is not less than one half in floating point.
    return round((value - floor) / (vanilla - floor), 9)
