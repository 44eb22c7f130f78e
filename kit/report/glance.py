"""The sentences at the top of a report: did the experiment work, and which methods failed?"""

from collections.abc import Iterator, Mapping, Sequence

from kit.benchmarks.records import Column
from kit.experiment.systems import RETAIN_ONLY, VANILLA
from kit.metrics.eligibility import MARGIN, Eligibility
from kit.report.access import SUPPRESSION, WEIGHTS
from kit.report.cells import Cell, Slot
from kit.report.damage import NOTHING, UNDER, is_at_chance
from kit.report.run_types import Source
from kit.report.tables import Line, Table

MARKS = {"collapsed": "collapsed", "over-forgets": "over-forget"}
LATER_MARKS = {NOTHING: "forgot nothing", UNDER: "under-forget"}  # of schema 2


def glance(
    tables: Sequence[Table],
    sources: Sequence[Source],
    eligibility: Sequence[Eligibility] | None = None,
) -> list[str]:
    """Return the sentences, in reading order: eligibility, warnings about sources, then results.

    `eligibility` is None for a report of schema 1, which says nothing of it.
    """
    marks = MARKS if eligibility is None else {**MARKS, **LATER_MARKS}
    return [
        *eligible_parts(tables, eligibility or ()),
        *unlocked(sources),
        *(sentence for table in tables for sentence in _of_table(table, marks)),
    ]


def eligible_parts(tables: Sequence[Table], found: Sequence[Eligibility]) -> Iterator[str]:
    """Yield whether something can be forgotten at all: first where not, and why."""
    titles = {
        (slots[0].target, slots[0].part): slots[0].title
        for table in tables
        for slots in table.parts
    }
    for each in found:
        if each.reason:
            title = titles[each.target, each.part]
            yield f"NOT ELIGIBLE: {title}: {each.reason}. No forgetting can be claimed here."
    if good := [titles[each.target, each.part] for each in found if not each.reason]:
        yield (
            f"Eligible: {'; '.join(good)}. Vanilla knows what is to be forgotten, and Retain-only "
            f"does not (their difference is clearly above {MARGIN:g})."
        )


def unlocked(sources: Sequence[Source]) -> list[str]:
    """Return a warning for each source that no committed checksum list covers."""
    return [
        f"NOT LOCKED: {source['name']} has no committed checksum list. Nothing shows that another "
        "run reads the same bytes."
        for source in sources
        if source.get("locked") is False
    ]


def _of_table(table: Table, marks: Mapping[str, str]) -> Iterator[str]:
    name = table.title.split(".")[0]
    lines = {line.entry: line for line in table.lines}
    if VANILLA in lines and RETAIN_ONLY in lines:
        bounds = (lines[VANILLA], lines[RETAIN_ONLY])
        for slots in table.parts:
            if any(_is_measured(line, slots) for line in bounds):
                values = "; ".join(_efficacy_and_retain(line, slots) for line in bounds)
                yield f"{slots[0].title}: {values}."
    methods = [line for line in table.lines if not line.role]
    for mark, verb in marks.items() if methods else ():
        marked = [line.label for line in methods if mark in line.damage.marks]
        labels = f": {'; '.join(marked)}" if marked else ""
        yield f"{name}: {len(marked)} of {len(methods)} methods {verb}{labels}."
    if len(marks) > len(MARKS):
        for line in methods:
            if line.access != WEIGHTS:
                yield (
                    f"{name}: {line.label} is {SUPPRESSION}: it changes the {line.access}, not the "
                    "weights."
                )
    if blind := at_chance(lines[VANILLA].cells if VANILLA in lines else ()):
        yield (
            f"{name}: Vanilla is not above chance in {', '.join(blind)}. It does not know what "
            "these columns ask for, so they say nothing about forgetting."
        )


def at_chance(cells: Sequence[Cell]) -> list[str]:
    """Return the columns with a known chance level that a system is not clearly above."""
    return [cell.slot.key for cell in cells if is_at_chance(cell)]


def _is_measured(line: Line, slots: Sequence[Slot]) -> bool:
    return any(cell.value is not None for cell in line.cells if cell.slot in slots)


def _efficacy_and_retain(line: Line, slots: Sequence[Slot]) -> str:
    cells = {cell.slot.column: cell for cell in line.cells if cell.slot in slots}
    shown = [cells[column] for column in (Column.EFFICACY, Column.RETAIN) if column in cells]
    values = [f"{c.slot.heading} {c.text}{' %' if c.slot.percent else ''}" for c in shown]
    return f"{line.label} has {' and '.join(values)}"
