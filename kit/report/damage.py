"""Whether a method forgot or was damaged: a rule fixed in advance and printed with every table.

PEBench's own Table 1 shows why it is needed: every method there reaches about 100 % efficacy and
loses at least three quarters of the people that it should have kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kit.benchmarks.records import Column
from kit.report.cells import Cell, Slot

MIN_KEPT_SHARE = 0.5  # of Vanilla's score above chance; below it a column counts as destroyed
# Scores of a guess: yes/no questions, and one letter of four. All other metrics have the floor 0.
CHANCE = {"presence_accuracy": 0.5, "choice_accuracy": 0.25, "choice_first_character": 0.25}
KEPT = (Column.RETAIN, Column.SCOPE, Column.REAL, Column.WORLD)
# Columns that are not about the kind of concept that was to be forgotten. Only a broken model
# loses them. Real counts where a benchmark has neither of the other two.
UNRELATED = frozenset({Column.SCOPE, Column.WORLD})
UNRELATED_WITHOUT_THESE = UNRELATED | {Column.REAL}
RULE = (
    "A column that should be kept counts as destroyed when a method keeps less than half of "
    "Vanilla's score (for yes/no questions and multiple choice: of Vanilla's distance above "
    "chance). A method over-forgets when the Retain column of its own target is destroyed. It has "
    "collapsed when an unrelated column is destroyed as well (World or Scope where a benchmark has "
    "them, otherwise Real): the model is then broken, and its forgetting scores say nothing about "
    "forgetting."
)


@dataclass(frozen=True)
class Damage:
    """`marks` maps "collapsed" and "over-forgets" to the parts where they apply, if any."""

    marks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    destroyed: frozenset[Slot] = frozenset()


def assess(cells: Sequence[Cell], vanilla: Mapping[Slot, Cell]) -> Damage:
    """Apply `RULE` to one method's cells, separately for each part of each target.

    Absent cells count as intact. So do columns in which Vanilla is no better than chance.
    """
    destroyed = frozenset(c.slot for c in cells if _is_destroyed(c, vanilla.get(c.slot)))
    marks: dict[str, tuple[str, ...]] = {}
    for target, part in dict.fromkeys((cell.slot.target, cell.slot.part) for cell in cells):
        present = {c.slot.column for c in cells if (c.slot.target, c.slot.part) == (target, part)}
        lost = {s.column for s in destroyed if (s.target, s.part) == (target, part)}
        unrelated = present & UNRELATED or UNRELATED_WITHOUT_THESE
        if Column.RETAIN in lost:
            mark = "collapsed" if lost & unrelated else "over-forgets"
            marks[mark] = (*marks.get(mark, ()), part)
    return Damage(dict(sorted(marks.items())), destroyed)


def _is_destroyed(cell: Cell, vanilla: Cell | None) -> bool:
    if cell.slot.column not in KEPT or vanilla is None:
        return False
    share = kept_share(cell.value, vanilla.value, cell.slot.metric)
    return share is not None and share < MIN_KEPT_SHARE


def kept_share(value: float | None, vanilla: float | None, metric: str) -> float | None:
    """Return the share of Vanilla's score above chance that is left; None if it had none."""
    floor = CHANCE.get(metric, 0.0)
    if value is None or vanilla is None or vanilla <= floor:
        return None
    # Rounded, so that exactly one half is not less than one half in floating point.
    return round((value - floor) / (vanilla - floor), 9)
