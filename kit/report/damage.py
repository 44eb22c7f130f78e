"""When forgetting is really damage: a rule declared beforehand, printed with every table.

PEBench's own Table 1 shows why it is needed: every method there reaches about 100 % efficacy and
loses at least three quarters of the people it should have kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kit.benchmarks.records import Column
from kit.report.cells import Cell, Slot

LOST = 0.5  # share of Vanilla's ability below which a column counts as destroyed
# Yes/no questions, and choices of one letter in four; the other metrics have no floor but 0.
CHANCE = {"presence_accuracy": 0.5, "choice_accuracy": 0.25, "choice_first_character": 0.25}
KEPT = (Column.RETAIN, Column.SCOPE, Column.REAL, Column.WORLD)
ELSEWHERE = (Column.SCOPE, Column.WORLD, Column.REAL)  # what a collapse reaches, too
RULE = (
    "A column that is to be kept counts as destroyed when less than half of Vanilla's score is "
    "left (yes/no questions and choices: of Vanilla's distance above chance). A method "
    "over-forgets when what is to be kept of its own kind is destroyed. It has collapsed when a "
    "column that asks for something else is destroyed as well (World or Scope where a benchmark "
    "has them, otherwise the real people): the model is broken, and what it forgot says nothing "
    "about forgetting."
)


@dataclass(frozen=True)
class Verdict:
    """`marks` maps "collapsed" and "over-forgets" to the parts where they hold, if any."""

    marks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    destroyed: frozenset[Slot] = frozenset()


def judge(cells: Sequence[Cell], vanilla: Mapping[Slot, Cell]) -> Verdict:
    """Apply `RULE` to one method's cells, each part of each target on its own.

    Absent cells, and columns in which Vanilla itself is no better than chance, destroy nothing.
    """
    destroyed = frozenset(c.slot for c in cells if _is_destroyed(c, vanilla.get(c.slot)))
    marks: dict[str, tuple[str, ...]] = {}
    for target, part in dict.fromkeys((cell.slot.target, cell.slot.part) for cell in cells):
        there = {c.slot.column for c in cells if (c.slot.target, c.slot.part) == (target, part)}
        lost = {s.column for s in destroyed if (s.target, s.part) == (target, part)}
        elsewhere = there & set(ELSEWHERE[:2]) or set(ELSEWHERE)
        if Column.RETAIN in lost:
            mark = "collapsed" if lost & elsewhere else "over-forgets"
            marks[mark] = (*marks.get(mark, ()), part)
    return Verdict(dict(sorted(marks.items())), destroyed)


def _is_destroyed(cell: Cell, vanilla: Cell | None) -> bool:
    if cell.slot.column not in KEPT or vanilla is None:
        return False
    share = kept_share(cell.value, vanilla.value, cell.slot.metric)
    return share is not None and share < LOST


def kept_share(value: float | None, vanilla: float | None, metric: str) -> float | None:
    """Return how much of Vanilla's score above chance is left; None where it had none."""
    floor = CHANCE.get(metric, 0.0)
    if value is None or vanilla is None or vanilla <= floor:
        return None
    # Rounded, so that exactly one half is not less than one half in floating point.
    return round((value - floor) / (vanilla - floor), 9)
