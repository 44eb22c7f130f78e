"""Whether a method forgot or was damaged: rules fixed in advance and printed with every table.

PEBench's own Table 1 shows why it is needed: every method there reaches about 100 % efficacy and
loses at least three quarters of the people that it should have kept.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kit.benchmarks.records import Column
from kit.metrics.eligibility import CHANCE, kept_share
from kit.report.cells import Cell, Slot

RULE = 3  # the newest version of the rule, which new results state
AT_CHANCE_SINCE = 3  # the version that leaves out columns where Vanilla is at chance
MIN_KEPT_SHARE = 0.5  # of Vanilla's score above chance; below it a column counts as destroyed
# Of what Vanilla knows and Retain-only does not. A method that keeps more has forgotten too little,
# or nothing.
MOST_KNOWN, NOTHING_FORGOTTEN = 0.5, 0.9
NOTHING, UNDER = "forgot nothing", "under-forgets"
MARKS = ("collapsed", "over-forgets", NOTHING, UNDER)
KEPT = (Column.RETAIN, Column.SCOPE, Column.REAL, Column.WORLD, Column.PROBE)
# Columns that are not about the kind of concept that was to be forgotten. Only a broken model
# loses them. Real counts where a benchmark has neither of the other two.
UNRELATED = frozenset({Column.SCOPE, Column.WORLD})
UNRELATED_WITHOUT_THESE = UNRELATED | {Column.REAL}
_DESTROYED = (
    "A column that should be kept counts as destroyed when a method keeps less than half of "
    "Vanilla's score (for yes/no questions and multiple choice: of Vanilla's distance above "
    "chance). A method over-forgets when the Retain column of its own target is destroyed. It has "
    "collapsed when an unrelated column is destroyed as well (World or Scope where a benchmark has "
    "them, otherwise Real): the model is then broken, and its forgetting scores say nothing about "
    "forgetting."
)
_FORGOT_LITTLE = (
    "A method forgot nothing when, in the Efficacy column of its own target, it keeps at least "
    "90 % of what Vanilla knows and Retain-only does not; it under-forgets when it keeps more than "
    "50 %. These two are not assessed where nothing is eligible to be forgotten."
)
_AT_CHANCE = (
    "A column is not assessed where the interval of Vanilla's own score reaches chance: there is "
    "nothing to destroy."
)
# By version. Version 2 came with schema 2 of the report; a result states version 3 in its run.json.
RULES = {
    1: _DESTROYED,
    2: f"{_DESTROYED} {_FORGOT_LITTLE}",
    3: f"{_DESTROYED} {_AT_CHANCE} {_FORGOT_LITTLE}",
}


@dataclass(frozen=True)
class Damage:
    """`marks` maps each mark (`MARKS`) to the parts where it applies, if any."""

    marks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    destroyed: frozenset[Slot] = frozenset()


def assess(
    cells: Sequence[Cell],
    vanilla: Mapping[Slot, Cell],
    retain: Mapping[Slot, Cell] | None = None,
    eligible: Container[tuple[str, str]] = (),
    rule: int = RULE,
) -> Damage:
    """Apply one of `RULES` to one method's cells, separately for each part of each target.

    Absent cells count as intact. So do columns in which Vanilla is no better than chance.

    Args:
        cells: those of one method.
        vanilla: those of Vanilla.
        retain: those of Retain-only; None for version 1 of the rule.
        eligible: the (target, part) pairs where something can be forgotten.
        rule: the version; 1 and 2 assess also where Vanilla may be at chance.
    """
    known = {
        slot: cell for slot, cell in vanilla.items()
        if rule < AT_CHANCE_SINCE or not is_at_chance(cell)
    }  # fmt: skip
    destroyed = frozenset(c.slot for c in cells if _is_destroyed(c, known.get(c.slot)))
    marks: dict[str, tuple[str, ...]] = {}
    for target, part in dict.fromkeys((cell.slot.target, cell.slot.part) for cell in cells):
        present = {c.slot.column for c in cells if (c.slot.target, c.slot.part) == (target, part)}
        lost = {s.column for s in destroyed if (s.target, s.part) == (target, part)}
        unrelated = present & UNRELATED or UNRELATED_WITHOUT_THESE
        if Column.RETAIN in lost:
            mark = "collapsed" if lost & unrelated else "over-forgets"
            marks[mark] = (*marks.get(mark, ()), part)
        if retain is not None and (target, part) in eligible:
            asked = (c for c in cells if (c.slot.target, c.slot.part) == (target, part))
            if mark := _under_forgetting(asked, vanilla, retain):
                marks[mark] = (*marks.get(mark, ()), part)
    return Damage(dict(sorted(marks.items())), destroyed)


def _is_destroyed(cell: Cell, vanilla: Cell | None) -> bool:
    if cell.slot.column not in KEPT or vanilla is None:
        return False
    share = kept_share(cell.value, vanilla.value, cell.slot.metric)
    return share is not None and share < MIN_KEPT_SHARE


def is_at_chance(cell: Cell) -> bool:
    """Return whether a value with a known chance level is not clearly above it."""
    floor = CHANCE.get(cell.slot.metric)
    return floor is not None and cell.low is not None and cell.low <= floor


def _under_forgetting(
    cells: Iterable[Cell], vanilla: Mapping[Slot, Cell], retain: Mapping[Slot, Cell]
) -> str:
    """Return the mark of a method that still knows what it should have forgotten, or ""."""
    for cell in cells:
        if cell.slot.column is not Column.EFFICACY or cell.slot not in retain:
            continue
        most, least = vanilla[cell.slot].value, retain[cell.slot].value
        if cell.value is None or most is None or least is None or most == least:
            continue
        # Of the way from Retain-only to Vanilla; whether higher is better makes no difference.
        known = round((cell.value - least) / (most - least), 9)
        if known > MOST_KNOWN:
            return NOTHING if known >= NOTHING_FORGOTTEN else UNDER
    return ""
