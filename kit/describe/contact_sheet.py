"""A contact sheet: one picture with some images of every set, to look at the data.

Each set has one row, with the same images at every call. With one version of Pillow, equal data
gives equal bytes, except where names need a font of the system (`kit.describe.lettering`).
"""

import io
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from kit import benchmarks
from kit.artifacts import cache_root, write_bytes
from kit.benchmarks.parquet import Place
from kit.benchmarks.records import Benchmark, Record
from kit.describe.benchmark import EvaluatedSet, evaluated_sets, shorten
from kit.describe.lettering import picture_of
from kit.errors import DataError
from kit.experiment.manifest import Manifest
from kit.pictures.decoding import open_image
from kit.sources.datasets import image_name
from kit.streams import shuffled

NAME = "contact_sheet.png"
IMAGES_PER_SET = 8
# Sizes in pixels.
MARGIN = 24
IMAGE = 128  # side of the square that an image is fitted into
CELL = 148  # width of an image's column; the rest separates captions
LABEL = 220
HEADER = 72
ROW = IMAGE + 64
LETTER = 6  # width of a letter
LINE = 13
PAPER, INK, GREY, FAINT, CROSS = "#ffffff", "#1c1c1c", "#686868", "#d8d8d8", "#b03030"


@dataclass(frozen=True)
class Sheet:
    """A drawn contact sheet; `path` is None if no set has an image."""

    path: Path | None
    unreadable: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One row: a set, the `targets` that share it, and the records whose images are shown."""

    label: str
    title: str
    targets: tuple[str, ...]
    images: int
    records: tuple[Record, ...]


def write_sheet(
    manifest: Manifest, places: Mapping[str, Place], benchmark: Benchmark, output: Path | None
) -> Sheet:
    """Draw the contact sheet; write it atomically into the folder `output`, or into the cache."""
    sets = evaluated_sets(benchmark, benchmarks.planned_protocol(manifest))
    rows = choose_rows(sets, benchmark)
    if not rows:
        return Sheet(None, ())
    data, broken = draw_sheet(manifest.title, rows)
    folder = output or cache_root() / "describe" / manifest.run_name
    write_bytes(folder / NAME, data)
    return Sheet(folder / NAME, tuple(image_name(dict(places), path) for path in broken))


def choose_rows(sets: Sequence[EvaluatedSet], benchmark: Benchmark) -> list[Row]:
    """Return a row for each set that has images; targets that share records share the row."""
    sharing: dict[tuple[str, str, tuple[str, ...]], list[EvaluatedSet]] = {}
    for each in sets:
        sharing.setdefault((each.part, each.column, each.ids), []).append(each)
    rows = []
    for (part, column, ids), shared in sharing.items():
        drawn = shuffled(ids, "contact sheet", part, column)
        # An image with several questions is shown once.
        images = {
            record.image: record
            for record in (benchmark.records[name] for name in reversed(drawn))
            if record.image
        }
        if images:
            shown = tuple(images.values())[::-1][:IMAGES_PER_SET]
            targets = tuple(each.target for each in shared)
            rows.append(Row(shared[0].label, shared[0].title, targets, len(images), shown))
    # Rows of one column stay together where targets have different records there.
    order = list(dict.fromkeys(row.label for row in rows))
    return sorted(rows, key=lambda row: order.index(row.label))


def draw_sheet(title: str, rows: Sequence[Row]) -> tuple[bytes, list[Path]]:
    """Return the sheet as PNG, and the images that could not be read."""
    size = (2 * MARGIN + LABEL + IMAGES_PER_SET * CELL, HEADER + len(rows) * ROW + MARGIN)
    sheet = Image.new("RGB", size, PAPER)
    _write(sheet, (MARGIN, MARGIN), shorten(title, (size[0] - 2 * MARGIN) // (2 * LETTER)), scale=2)
    broken: dict[Path, None] = {}
    for number, row in enumerate(rows):
        top = HEADER + number * ROW
        _rule(sheet, top)
        _head(sheet, row, top + 12)
        for column, record in enumerate(row.records):
            left = MARGIN + LABEL + column * CELL
            if not _cell(sheet, record, left, top + 12):
                broken[record.image or Path()] = None
    _rule(sheet, HEADER + len(rows) * ROW)
    stream = io.BytesIO()
    sheet.save(stream, "png")
    return stream.getvalue(), list(broken)


def _head(sheet: Image.Image, row: Row, top: int) -> None:
    """Write a row's heading, to the left of its images."""
    letters = (LABEL - 16) // LETTER
    _write(sheet, (MARGIN, top), shorten(row.label, letters // 2), scale=2)
    part, _, heading = row.title.partition(": ")
    shown = f"{len(row.records)} of {row.images} images"
    lines = [(heading, INK), (part, INK), (shown, GREY)]
    forgotten = "forgetting " + ", ".join(row.targets)
    lines += [(line, GREY) for line in textwrap.wrap(forgotten, letters)]
    for number, (line, colour) in enumerate(lines):
        _write(sheet, (MARGIN, top + 30 + number * LINE), shorten(line, letters), colour=colour)


def _cell(sheet: Image.Image, record: Record, left: int, top: int) -> bool:
    """Draw one image with its caption; draw a cross and return False if it cannot be read."""
    picture = fit_image(record.image) if record.image else None
    pen = ImageDraw.Draw(sheet)
    frame = (left - 1, top - 1, left + IMAGE, top + IMAGE)
    pen.rectangle(frame, outline=FAINT)
    if picture is None:
        pen.line((left + 8, top + 8, left + IMAGE - 9, top + IMAGE - 9), CROSS, 2)
        pen.line((left + 8, top + IMAGE - 9, left + IMAGE - 9, top + 8), CROSS, 2)
    else:
        offset = (left + (IMAGE - picture.width) // 2, top + (IMAGE - picture.height) // 2)
        sheet.paste(picture, offset)
    for number, (line, colour) in enumerate(caption_lines(record)):
        _write(sheet, (left, top + IMAGE + 5 + number * LINE), line, colour=colour)
    return picture is not None


def caption_lines(record: Record) -> list[tuple[str, str]]:
    """Return a caption's lines and their colours: person and event, or question and answer."""
    letters = (CELL - 8) // LETTER
    subjects = [text for text in (record.person, record.event) if text]
    if not subjects:
        asked = textwrap.wrap(shorten(record.question, 2 * letters - 6), letters, max_lines=2)
        return [*((line, INK) for line in asked), (shorten(record.answer, letters), GREY)]
    return [(shorten(text, letters), GREY if n else INK) for n, text in enumerate(subjects)]


def fit_image(path: Path) -> Image.Image | None:
    """Return an image, as models see it, fitted into a cell; None if it cannot be read.

    Small images are enlarged by a whole factor, so that each pixel becomes a square.
    """
    try:
        picture = open_image(path)
    except DataError:
        return None
    longest = max(picture.size)
    if factor := IMAGE // longest:
        whole = (picture.width * factor, picture.height * factor)
        return picture.resize(whole, Image.Resampling.NEAREST)
    width, height = (max(1, round(side * IMAGE / longest)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _rule(sheet: Image.Image, top: int) -> None:
    ImageDraw.Draw(sheet).line((MARGIN, top, sheet.width - MARGIN, top), FAINT)


def _write(
    sheet: Image.Image, place: tuple[int, int], text: str, *, scale: int = 1, colour: str = INK
) -> None:
    """Write one line of text."""
    if letters := picture_of(text, scale):
        sheet.paste(colour, (*place, place[0] + letters.width, place[1] + letters.height), letters)
