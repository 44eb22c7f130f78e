"""PEBench's CSV and image folders as pictures, and each picture as two records.

Keywords are the CSV's where it has them, else those that the paper prints for its 40 events. An
image that no row names is left out (the hub counts 8.2k images, the paper 8,000) and noted.
"""

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from kit.benchmarks.pebench_csv import Line, read_lines
from kit.benchmarks.pebench_images import find_images
from kit.errors import DataError, ManifestError
from kit.manifest import Columns
from kit.records import Concept, Record

PERSON_QUESTION = "Who is this person?"
EVENT_QUESTION = "Describe the scene in detail."  # the query printed in the paper's Figure 3
PRESENCE_QUESTION = "Is there a {object} in the image?"  # POPE's form
EVENTS = Path(__file__).with_name("pebench_events.json")
COUNTED = ("people", "events")  # what `[benchmark] options` may count
EXAMPLES = 3


@dataclass(frozen=True)
class Picture:
    """One row of the table; `name` is the image's name in it, `folder` the folder it lies in."""

    name: str
    path: Path
    person: str
    event: str
    description: str
    keywords: tuple[str, ...]

    @property
    def folder(self) -> str:
        """The name of the folder that the image lies in: the hub has one folder a person."""
        return PurePosixPath(self.name).parent.name


def read_pictures(
    path: Path, mapped: Columns | None = None
) -> tuple[list[Picture], tuple[str, ...]]:
    """Read a table and check its images; return its pictures and the images that it does not name.

    Args:
        mapped: what the manifest says of its columns; None where it cannot map them.

    Raises:
        DataError: as for `read_lines` and `find_images`; or an event has no keywords anywhere.
    """
    columns = mapped or Columns()
    fields = [columns.file, columns.person, columns.event, columns.description]
    # The default name is no promise that the column is there; a name that was mapped is one.
    default = columns.keywords in ("", Columns().keywords)
    lines = read_lines(path, mapped, fields if default else [*fields, columns.keywords])
    own = columns.keywords in lines[0].cells
    found = find_images(path.parent, path.name, columns.file, lines)
    pictures = []
    for line in lines:
        cells = {name: cell.strip() for name, cell in line.cells.items()}
        name, event = line.cells[columns.file], cells[columns.event]
        words = _split(cells[columns.keywords]) if own else published_keywords(event)
        if not words:
            raise _no_keywords(path, line, columns, own)
        texts = (cells[columns.person], event, cells[columns.description])
        pictures.append(Picture(name, found.paths[name], *texts, words))
    return pictures, found.extra


def records_of(pictures: Iterable[Picture], prefix: str) -> list[Record]:
    """Return a person record and an event record of each picture."""
    records = []
    for each in pictures:
        key, about = f"{prefix}/{each.name}", (each.path, each.person, each.event)
        records += [
            Record(f"{key}#person", Concept.PERSON, PERSON_QUESTION, each.person, *about),
            Record(
                f"{key}#event",
                Concept.EVENT,
                EVENT_QUESTION,
                each.description,
                *about,
                each.keywords,
            ),
        ]
    return records


def presence_records(path: Path, prefix: str) -> list[Record]:
    """Return the yes/no questions of a table with the columns file, object and answer.

    Raises:
        DataError: as for `read_lines` and `find_images`.
    """
    lines = read_lines(path, None, ["file", "object", "answer"])
    images = find_images(path.parent, path.name, "file", lines).paths
    return [
        Record(
            f"{prefix}/{line.cells['file']}#presence",
            Concept.PRESENCE,
            PRESENCE_QUESTION.format(object=line.cells["object"]),
            line.cells["answer"],
            images[line.cells["file"]],
        )
        for line in lines
    ]


@cache
def published() -> Mapping[str, Any]:
    """Return the keywords and the near-duplicates of the 40 events (source: the file itself)."""
    document: dict[str, Any] = json.loads(EVENTS.read_text(encoding="utf-8"))
    return document


@cache
def published_keywords(event: str) -> tuple[str, ...]:
    """Return the distinct keywords that the paper prints for an event; none if it has no such."""
    known = {plain(name): words for name, words in published()["keywords"].items()}
    return tuple(dict.fromkeys(known.get(plain(event), ())))


def plain(event: str) -> str:
    """Return an event's name as it is compared: case, hyphens and underscores do not count."""
    return " ".join(re.sub(r"[-_]", " ", event).casefold().split())


def note_of(extra: Sequence[str]) -> tuple[str, ...]:
    """Return the note that images are left out; none if there are none."""
    if not extra:
        return ()
    few = ", ".join(extra[:EXAMPLES])
    more = ", ..." if len(extra) > EXAMPLES else ""
    return (f"{len(extra)} images that no row of the table names are left out: {few}{more}",)


def check_counts(pictures: Sequence[Picture], options: Mapping[str, Any]) -> None:
    """Hold the numbers of people and events against `[benchmark] options`, where it gives them.

    Raises:
        ManifestError: an option does not exist or is no number of people or events.
        DataError: a number differs.
    """
    for name, value in options.items():
        if name not in COUNTED:
            near = difflib.get_close_matches(name, COUNTED, n=1)
            raise ManifestError(
                f"PEBench has no benchmark option '{name}'",
                expected=f"one of {', '.join(COUNTED)}",
                found=name,
                remedy=f"did you mean '{near[0]}'?" if near else "remove it",
            )
        if type(value) is not int or value < 1:
            raise ManifestError(
                f"benchmark.options.{name} is not valid",
                expected="a number, 1 or more",
                found=repr(value),
                remedy="say how many the dataset has, or leave the option out",
            )
    rows = {
        "people": Counter(picture.person for picture in pictures),
        "events": Counter(picture.event for picture in pictures),
    }
    for name, expected in options.items():
        if len(rows[name]) != expected:
            rare = sorted(rows[name].items(), key=lambda item: (item[1], item[0]))[:EXAMPLES]
            raise DataError(
                f"the table has {len(rows[name])} {name}, not {expected}",
                expected=f"{expected} {name}, as benchmark.options.{name} says",
                found="with the fewest images: " + ", ".join(f"{n} ({c})" for n, c in rare),
                remedy="correct the names in the table, or the number in the manifest",
            )


def _split(cell: str) -> tuple[str, ...]:
    """Return the keywords of a cell, separated by semicolons or, where it has none, by commas."""
    separator = ";" if ";" in cell else ","
    return tuple(word.strip() for word in cell.split(separator) if word.strip())


def _no_keywords(path: Path, line: Line, columns: Columns, own: bool) -> DataError:
    event = line.cells[columns.event]
    known = published()["keywords"]
    near = difflib.get_close_matches(plain(event), known, n=1)
    return DataError(
        f"{path.name}, line {line.number}: no keywords for the event '{event}'",
        expected="keywords separated by ';' or ','" if own else "an event of the paper's tables",
        found=line.cells.get(columns.keywords, "no column of keywords"),
        remedy=f"did you mean '{near[0]}'?"
        if near
        else "map the column in [benchmark.columns], or correct the event's name",
    )
