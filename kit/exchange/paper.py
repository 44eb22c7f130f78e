"""Tables and figures as a paper prints them: LaTeX and Markdown, SVG and PNG.

One file for each part of a table, because a part fits a page. Values are in percent, as on the page
of the report; the marks of methods stand behind their names.
"""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kit.exchange.document import latex
from kit.exchange.exported import Exported
from kit.exchange.png import to_png
from kit.report import attack_grid, figure
from kit.report.cells import Cell, Slot
from kit.report.contents import Contents
from kit.report.damage import MARKS
from kit.report.drawing import beside
from kit.report.pages import markdown_cell, svg_file
from kit.report.tables import Line, Table, part_titles

SIGNS = dict(zip(MARKS, ("c", "o", "n", "u"), strict=True))
UNIT = "In percent, with 95 % intervals over clusters"
PACKAGES = ("[T1]{fontenc}", "{booktabs}", "{graphicx}")
MAX_LINES = 18  # methods that fit a page, with their intervals
LONGEST_HEAD = 14  # letters
POINTS = "Recovery under attack, in points, with 95 % intervals over clusters"


@dataclass(frozen=True)
class PaperLine:
    """One method: its printed name, the signs of its marks, (value, interval) of each column."""

    label: str
    signs: str
    cells: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class PaperTable:
    """A table as a paper prints it; `name` is its file name without the suffix."""

    name: str
    caption: str
    head: tuple[str, ...]
    lines: tuple[PaperLine, ...]


def paper_files(exported: Exported) -> Iterator[tuple[str, bytes]]:
    """Yield (path, content) of every table and figure of a verified result."""
    contents = exported.contents
    for table in paper_tables(contents):
        yield f"{table.name}.tex", table_latex(table)
        yield f"{table.name}.md", table_markdown(table)
    panels = figure.make_panels(contents.tables)
    drawings = [(f"forget_retain_{p.name}", beside(p.plane, p.intervals, p.title)) for p in panels]
    if "attacks" in contents.facts:
        titles = part_titles(contents.tables)
        grids = attack_grid.make_grids(contents.facts["attacks"], titles)
        drawings += [
            (f"attacks_{g.target}_{g.part}", attack_grid.attack_drawing([g])) for g in grids
        ]
    for name, drawing in drawings:
        yield f"{name}.svg", svg_file(drawing, dark=False).encode()
        yield f"{name}.png", to_png(drawing)


def paper_tables(contents: Contents) -> list[PaperTable]:
    """Return a table for each part of each target that was run, and of each part under attack."""
    run = set(contents.rows["target"])
    found = []
    for table in (*contents.tables, *contents.distances):
        own = table.only(run)
        found += [_part(own, slots) for slots in own.parts]
    if "attacks" in contents.facts:
        titles = part_titles(contents.tables)
        for grid in attack_grid.make_grids(contents.facts["attacks"], titles):
            found.append(_grid(grid, grid.title))
    return found


def _part(table: Table, slots: Sequence[Slot]) -> PaperTable:
    lines = [_line(line, slots) for line in table.lines]
    used = {sign for line in lines for sign in line.signs}
    marks = ", ".join(f"{sign}: {mark}" for mark, sign in SIGNS.items() if sign in used)
    apart = table.name.endswith("_distance")
    unit = f"{UNIT}, minus the values of Retain-only" if apart else UNIT
    caption = f"{slots[0].title}. {unit}." + (f" Marks: {marks}." if marks else "")
    name = f"{table.name}_{slots[0].target}_{slots[0].part}"
    return PaperTable(name, caption, tuple(slot.key for slot in slots), tuple(lines))


def _line(line: Line, slots: Sequence[Slot]) -> PaperLine:
    cells = {cell.slot: cell for cell in line.cells}
    part = slots[0].part
    signs = "".join(SIGNS[mark] for mark, parts in line.damage.marks.items() if part in parts)
    return PaperLine(line.label, signs, tuple(_printed(cells[slot]) for slot in slots))


def _printed(cell: Cell) -> tuple[str, str]:
    return ("absent", "") if cell.value is None else (cell.text, cell.interval)


def _grid(grid: attack_grid.Grid, title: str) -> PaperTable:
    head = tuple(f"{cell['attack_label']} {cell['level']:g}" for cell in grid.columns)
    lines = []
    for line in grid.lines:
        cells = []
        for cell in line.cells:
            low, high = cell["low"], cell["high"]
            ends = "" if low is None or high is None else f"[{100 * low:.1f}, {100 * high:.1f}]"
            value = "absent" if cell["value"] is None else f"{100 * cell['value'] + 0.0:.1f}"
            cells.append((value, ends))
        lines.append(PaperLine(f"{line.label} ({line.outcome})", "", tuple(cells)))
    name = f"attacks_{grid.target}_{grid.part}"
    return PaperTable(name, f"{title}. {POINTS}.", head, tuple(lines))


def table_latex(table: PaperTable) -> bytes:
    """Return a table to be read by \\input; PACKAGES are what it needs.

    A long one becomes several, each of which fits a page. One that is wider than the text is made
    smaller.
    """
    names = ", ".join(rf"\usepackage{each}" for each in PACKAGES)
    lines = [
        "% By the PEBench reproducibility kit. \\input it where it belongs, with",
        f"% {names}",
    ]
    shown = table.lines
    parts = [shown[at : at + MAX_LINES] for at in range(0, len(shown), MAX_LINES)] or [shown]
    for number, part in enumerate(parts, 1):
        caption = table.caption + (f" ({number} of {len(parts)})" if len(parts) > 1 else "")
        lines += _latex_part(caption, table.head, part)
    return ("\n".join(lines) + "\n").encode()


def _latex_part(caption: str, head: Sequence[str], shown: Sequence[PaperLine]) -> Iterator[str]:
    yield r"\begin{table}"
    yield r"\centering\small\setlength{\tabcolsep}{3pt}"
    yield rf"\caption{{{latex(caption)}}}"
    yield rf"\sbox0{{\begin{{tabular}}{{@{{}}l{'r' * len(head)}@{{}}}}"
    yield r"\toprule"
    yield _row(["Method", *map(_heading, head)])
    yield r"\midrule"
    for line in shown:
        signs = rf"\textsuperscript{{{line.signs}}}" if line.signs else ""
        values = (latex(value) for value, _ in line.cells)
        yield _row([latex(line.label) + signs, *values])
        ends = (latex(interval) for _, interval in line.cells)
        yield _row(["", *(rf"{{\scriptsize {each}}}" if each else "" for each in ends)])
    yield r"\bottomrule"
    yield r"\end{tabular}}"
    yield r"\ifdim\wd0>\linewidth\resizebox{\linewidth}{!}{\usebox0}\else\usebox0\fi"
    yield r"\end{table}"


def _heading(text: str) -> str:
    """Return the head of a column; a long one takes several lines."""
    # A bracket at the start of a row would belong to the line break before it.
    rows = ["{}" + latex(row) for row in textwrap.wrap(text, LONGEST_HEAD)]
    return r"\shortstack[r]{" + r"\\".join(rows) + "}" if len(rows) > 1 else latex(text)


def _row(cells: Sequence[str]) -> str:
    # A bracket or a star at the start would belong to the line break before it.
    return "{}" + " & ".join(cells) + r" \\"


def table_markdown(table: PaperTable) -> bytes:
    """Return a table as Markdown, with its caption above it."""
    lines = [
        markdown_cell(table.caption),
        "",
        "| Method | " + " | ".join(map(markdown_cell, table.head)) + " |",
        "| --- |" + " ---: |" * len(table.head),
    ]
    for line in table.lines:
        name = markdown_cell(line.label) + (f" ({line.signs})" if line.signs else "")
        cells = (markdown_cell(f"{value} {interval}") for value, interval in line.cells)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return ("\n".join(lines) + "\n").encode()
