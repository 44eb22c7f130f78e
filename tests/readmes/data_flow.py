"""The picture of the data flow in README.md, in light and dark colours.

    python3 -m tests.readmes

draws kit/data-flow.svg and kit/data-flow-dark.svg (with everything else that READMEs generate).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 1000, 348
BOX_WIDTH, BOX_HEIGHT, STEP = 148, 86, 205
LEFT, FIRST_ROW, SECOND_ROW = 16, 47, 246
BAND_HEIGHT, NOTE_HEIGHT = 148, 46
FONT = "-apple-system,'Segoe UI',Helvetica,Arial,sans-serif"
CODE = "ui-monospace,SFMono-Regular,Menlo,Consolas,monospace"


@dataclass(frozen=True)
class Colours:
    """The colours of one theme."""

    text: str
    muted: str
    line: str
    box: str
    verb: str
    make: str
    check: str


LIGHT = Colours(
    text="#1f2328", muted="#59636e", line="#8c959f", box="#ffffff",
    verb="#0550ae", make="#eef4fb", check="#eaf6ec",
)  # fmt: skip
DARK = Colours(
    text="#f0f6fc", muted="#a2abb5", line="#6e7681", box="#0d1117",
    verb="#79c0ff", make="#161f2e", check="#14241b",
)  # fmt: skip
FILES = {"kit/data-flow.svg": LIGHT, "kit/data-flow-dark.svg": DARK}


@dataclass(frozen=True)
class Box:
    """Something on disk: a title, two lines about it, and the verb that makes it."""

    title: str
    lines: tuple[str, str]
    verb: str = ""


MAKE = (
    Box("Manifest", ("one TOML file", "decides everything")),
    Box("Data, base model", ("every byte listed", "in checksums/"), "fetch"),
    Box("Vanilla model", ("and retain-only: LoRA", "on a 4-bit base"), "finetune"),
    Box("Unlearned models", ("one adapter for each", "method, target, seed"), "unlearn"),
    Box("Answers", ("of every model; a", "second look agrees"), "evaluate"),
)
CHECK = (
    Box("Rows and claims", ("95 % intervals,", "verdicts, one page"), "report"),
    Box("Signed result", ("answers, numbers,", "adapters, signatures"), "sign"),
    Box("Verified result", ("every number follows", "from the answers"), "verify"),
    Box("Comparison", ("with a reference,", "claim by claim"), "compare"),
)
MAKE_NOTE = "Make: a CPU for the small experiments, a GPU for 7B models"
CHECK_NOTE = "Check: any laptop, without torch, models or network"


def draw(colours: Colours) -> str:
    """Return the picture as SVG, 1000 units wide."""
    return "\n".join([*_head(colours), *_rows(colours), "</svg>\n"])


def _head(colours: Colours) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img" aria-labelledby="title">'
    )
    steps = [box.verb for box in (*MAKE, *CHECK) if box.verb]
    yield f'<title id="title">From a manifest to a checked result: {", ".join(steps)}</title>'
    yield (
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
        f'markerHeight="8" orient="auto"><path d="M0 0.5L8 4L0 7.5z" fill="{colours.line}"/>'
        "</marker></defs>"
    )


def _rows(colours: Colours) -> Iterator[str]:
    yield from _band(LEFT, FIRST_ROW, colours.make, MAKE_NOTE, colours)
    yield from _band(LEFT + STEP, SECOND_ROW, colours.check, CHECK_NOTE, colours)
    for column, box in enumerate(MAKE):
        yield from _box(column, FIRST_ROW, box, colours)
        if box.verb:
            yield from _arrow(column, FIRST_ROW, box.verb, colours)
    yield from _turn(colours)
    for column, box in enumerate(CHECK):
        yield from _box(column + 1, SECOND_ROW, box, colours)
        if column:
            yield from _arrow(column + 1, SECOND_ROW, box.verb, colours)


def _band(left: int, top: int, fill: str, note: str, colours: Colours) -> Iterator[str]:
    yield (
        f'<rect x="1" y="{top - NOTE_HEIGHT}" width="{WIDTH - 2}" height="{BAND_HEIGHT}" rx="12" '
        f'fill="{fill}"/>'
    )
    yield _text(left, top - 18, note, 13, colours.muted, "start", weight=600)


def _box(column: int, top: int, box: Box, colours: Colours) -> Iterator[str]:
    left = LEFT + column * STEP
    middle = left + BOX_WIDTH / 2
    yield (
        f'<rect x="{left}" y="{top}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="8" '
        f'fill="{colours.box}" stroke="{colours.line}" stroke-width="1.2"/>'
    )
    yield _text(middle, top + 29, box.title, 14.5, colours.text, "middle", weight=600)
    for number, line in enumerate(box.lines):
        yield _text(middle, top + 51 + 17 * number, line, 12, colours.muted, "middle")


def _arrow(column: int, top: int, verb: str, colours: Colours) -> Iterator[str]:
    end = LEFT + column * STEP
    start, height = end - (STEP - BOX_WIDTH), top + BOX_HEIGHT // 2
    yield _path(f"M{start + 4} {height}H{end - 4}", colours)
    yield _text((start + end) / 2, height - 9, verb, 11.5, colours.verb, "middle", code=True)


def _turn(colours: Colours) -> Iterator[str]:
    """Draw the way from the last box of the first row to the first box of the second."""
    start = LEFT + 4 * STEP + BOX_WIDTH // 2
    lane = (FIRST_ROW - NOTE_HEIGHT + BAND_HEIGHT + SECOND_ROW - NOTE_HEIGHT) // 2
    end, height = LEFT + STEP, SECOND_ROW + BOX_HEIGHT // 2
    turn = LEFT + BOX_WIDTH // 2
    yield _path(
        f"M{start} {FIRST_ROW + BOX_HEIGHT + 4}V{lane - 10}Q{start} {lane} {start - 10} {lane}"
        f"H{turn + 10}Q{turn} {lane} {turn} {lane + 10}V{height - 10}"
        f"Q{turn} {height} {turn + 10} {height}H{end - 4}",
        colours,
    )
    yield _text((turn + end) / 2 + 6, height - 9, CHECK[0].verb, 11.5, colours.verb, "middle",
                code=True)  # fmt: skip


def _path(way: str, colours: Colours) -> str:
    return (
        f'<path d="{way}" fill="none" stroke="{colours.line}" stroke-width="1.6" '
        'marker-end="url(#head)"/>'
    )


def _text(
    x: float, y: float, text: str, size: float, fill: str, anchor: str, *,
    weight: int = 400, code: bool = False,
) -> str:  # fmt: skip
    family = CODE if code else FONT
    return (
        f'<text x="{x:g}" y="{y:g}" font-family="{family}" font-size="{size:g}" '
        f'font-weight="{weight}" text-anchor="{anchor}" fill="{fill}">{escape(text)}</text>'
    )
