"""The sentences at the top of a report: did the experiment work, and which methods failed?"""

from collections.abc import Iterator, Sequence

from kit.benchmarks.records import Column
from kit.experiment.systems import RETAIN_ONLY, VANILLA
from kit.report.cells import Cell, Slot
from kit.report.damage import CHANCE
from kit.report.run_types import Source
from kit.report.tables import Line, Table

MARKS = {"collapsed": "collapsed", "over-forgets": "over-forget"}


def glance(tables: Sequence[Table], sources: Sequence[Source]) -> list[str]:
    """Return the sentences, in reading order; warnings about sources come first."""
    return [*unlocked(sources), *(sentence for table in tables for sentence in _of_table(table))]


def unlocked(sources: Sequence[Source]) -> list[str]:
    """Return a warning for each source that no committed checksum list covers."""
    return [
        f"NOT LOCKED: {source['name']} has no committed checksum list. Nothing shows that another "
        "run reads the same bytes."
        for source in sources
        if source.get("locked") is False
    ]


def _of_table(table: Table) -> Iterator[str]:
    name = table.title.split(".")[0]
    lines = {line.entry: line for line in table.lines}
    if VANILLA in lines and RETAIN_ONLY in lines:
        bounds = (lines[VANILLA], lines[RETAIN_ONLY])
        for slots in table.parts:
            if any(_is_measured(line, slots) for line in bounds):
                values = "; ".join(_efficacy_and_retain(line, slots) for line in bounds)
                yield f"{slots[0].title}: {values}."
    methods = [line for line in table.lines if not line.role]
    for mark, verb in MARKS.items():
        marked = [line.label for line in methods if mark in line.damage.marks]
        labels = f": {'; '.join(marked)}" if marked else ""
        yield f"{name}: {len(marked)} of {len(methods)} methods {verb}{labels}."
    if blind := at_chance(lines[VANILLA].cells if VANILLA in lines else ()):
        yield (
            f"{name}: Vanilla is not above chance in {', '.join(blind)}. It does not know what "
            "these columns ask for, so they say nothing about forgetting."
        )


def at_chance(cells: Sequence[Cell]) -> list[str]:
    """Return the columns with a known chance level that a system is not clearly above."""
    floors = [(cell, CHANCE.get(cell.slot.metric)) for cell in cells]
    return [
        cell.slot.key
        for cell, floor in floors
        if floor is not None and cell.low is not None and cell.low <= floor
    ]


def _is_measured(line: Line, slots: Sequence[Slot]) -> bool:
    return any(cell.value is not None for cell in line.cells if cell.slot in slots)


def _efficacy_and_retain(line: Line, slots: Sequence[Slot]) -> str:
    cells = {cell.slot.column: cell for cell in line.cells if cell.slot in slots}
    shown = [cells[column] for column in (Column.EFFICACY, Column.RETAIN) if column in cells]
    values = [f"{c.slot.heading} {c.text}{' %' if c.slot.percent else ''}" for c in shown]
    return f"{line.label} has {' and '.join(values)}"
