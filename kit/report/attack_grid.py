"""Attacks as grids: a line for each method and a column for each attack and level, and as CSV."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kit.experiment.systems import REMOVE_NEURONS, RETAIN_ONLY, VANILLA
from kit.report.attacks import BLIND, RETURNS, AttackCell, Attacks, Headline
from kit.report.cells import NO_NUMBER
from kit.report.csv_cells import csv_lines
from kit.report.drawing import Drawing, Shape, box, short, stacked, words
from kit.report.run_types import Manifest

# Of the figure, in px.
LABEL_WIDTH, CELL_WIDTH, CELL_HEIGHT, HEAD_HEIGHT = 160, 42, 22, 128
OUTCOME_WIDTH = 120
CELLS = (
    "target", "part", "entry", "label", "attack", "level", "outcome", "before", "under", "control",
    "value", "low", "high", "n", "clusters", "reason",
)  # fmt: skip
RELEARNING = "relearn_"  # how the names of attacks that train begin
HEADLINES = ("target", "part", "entry", "label", "outcome", "tested", "reason")


@dataclass(frozen=True)
class GridLine:
    """One method under all attacks; `headline` is None for Vanilla and Retain-only."""

    label: str
    cells: tuple[AttackCell, ...]
    headline: Headline | None

    @property
    def outcome(self) -> str:
        """Return what the headline says, or what the line stands for."""
        if self.headline is not None:
            return self.headline["outcome"]
        return "forgot nothing" if self.cells[0]["entry"] == VANILLA else "control"


@dataclass(frozen=True)
class Grid:
    """One part of one target; `title` names both."""

    target: str
    part: str
    title: str
    lines: tuple[GridLine, ...]

    @property
    def columns(self) -> tuple[AttackCell, ...]:
        """Return one cell of each attack and level: they name the columns."""
        return self.lines[0].cells


def make_grids(attacks: Attacks, titles: Mapping[tuple[str, str], str]) -> list[Grid]:
    """Return a grid for each part of each target that was attacked, in table order.

    `titles` is {(target, part): its title}.
    """
    grids: list[Grid] = []
    for target, part in dict.fromkeys((cell["target"], cell["part"]) for cell in attacks["cells"]):
        cells = [c for c in attacks["cells"] if (c["target"], c["part"]) == (target, part)]
        heads = {
            head["entry"]: head
            for head in attacks["headlines"]
            if (head["target"], head["part"]) == (target, part)
        }
        lines = tuple(
            _line([c for c in cells if c["entry"] == entry], heads.get(entry))
            for entry in dict.fromkeys(cell["entry"] for cell in cells)
        )
        grids.append(Grid(target, part, titles[target, part], lines))
    return grids


def removed_note(manifest: Manifest) -> str:
    """Return what relearning cannot do to the methods that remove neurons; "" where none is asked.

    Neurons are removed from the sum of the base and all adapters, so also from what an attack
    trains.
    """
    relearned = any(e["attack"].startswith(RELEARNING) for e in manifest["attack"]["entries"])
    labels = [m["label"] for m in manifest["methods"] if m["method"] in REMOVE_NEURONS]
    if not relearned or not labels:
        return ""
    return (
        f"Relearning trains an adapter on top of a system and cannot revive a removed neuron. For "
        f"{', '.join(labels)}, it shows only what the neurons that are left can relearn."
    )


def _line(cells: Sequence[AttackCell], headline: Headline | None) -> GridLine:
    return GridLine(cells[0]["label"], tuple(cells), headline)


def attack_drawing(grids: Sequence[Grid]) -> Drawing:
    """Return the figure of what comes back under each attack, one line per method."""
    alt = "What comes back under each attack, one line per method"
    return stacked([_drawn(grid) for grid in grids], alt)


def _drawn(grid: Grid) -> Drawing:
    shapes = [words("title", 4, 18, grid.title)]
    right = LABEL_WIDTH + CELL_WIDTH * len(grid.columns)
    for place, cell in enumerate(grid.columns):
        x = LABEL_WIDTH + CELL_WIDTH * (place + 0.5) + 4
        name = f"{short(cell['attack_label'], 18)} {cell['level']:g}"
        shapes.append(words("text", x, HEAD_HEIGHT - 6, name, turn=-55))
    for row, line in enumerate(grid.lines):
        y = HEAD_HEIGHT + CELL_HEIGHT * row
        shapes.append(words("text", LABEL_WIDTH - 8, y + 15, short(line.label), anchor="end"))
        for place, cell in enumerate(line.cells):
            shapes += _cell(cell, line.label, LABEL_WIDTH + CELL_WIDTH * place, y)
        shapes.append(words("dim", right + 8, y + 15, line.outcome))
    height = HEAD_HEIGHT + CELL_HEIGHT * len(grid.lines)
    return Drawing(right + OUTCOME_WIDTH, height, grid.title, tuple(shapes))


def _cell(cell: AttackCell, label: str, x: float, y: float) -> Iterator[Shape]:
    blind = cell["value"] is None or cell["outcome"] == BLIND
    place = (x + 1, y + 1, CELL_WIDTH - 2, CELL_HEIGHT - 2)
    tip = f"{label}, {cell['attack_label']} {cell['level']:g}: {_said(cell)}"
    yield box("none" if blind else "cell", *place, tip=tip, opacity=1.0 if blind else shade(cell))
    yield box("back" if is_marked(cell) else "cellframe", *place)
    text = NO_NUMBER if cell["value"] is None else f"{cell['value'] + 0.0:.2f}"
    style = "dim" if blind else "text"
    yield words(style, x + CELL_WIDTH / 2, y + 15, text, anchor="middle")


def _said(cell: AttackCell) -> str:
    if cell["value"] is None:
        return cell["reason"]
    return (
        f"{cell['outcome']}, recovery {cell['value']:+.2f}, known {cell['before']:.2f} before, "
        f"{cell['under']:.2f} under attack; Retain-only {cell['control']:.2f}"
    )


def shade(cell: AttackCell) -> float:
    """Return how strongly a cell is coloured, in [0, 0.7]: by its recovery."""
    if cell["value"] is None or cell["outcome"] == BLIND:
        return 0.0
    return round(0.7 * min(1.0, max(0.0, cell["value"])), 3)


def is_marked(cell: AttackCell) -> bool:
    """Return whether something comes back in a cell of a method."""
    return cell["outcome"] == RETURNS and cell["entry"] not in (VANILLA, RETAIN_ONLY)


def attack_files(attacks: Attacks) -> dict[str, str]:
    """Return {name: CSV} of every cell and every headline; what is absent is an empty cell."""
    cells = [[cell.get(name) for name in CELLS] for cell in attacks["cells"]]
    heads = [
        [*(head.get(name) for name in HEADLINES), "; ".join(head["attacks"])]
        for head in attacks["headlines"]
    ]
    return {
        "attacks.csv": csv_lines(CELLS, cells),
        "survival.csv": csv_lines((*HEADLINES, "attacks"), heads),
    }
