"""PEBench's CSV and image folders as pictures, and each picture as two records.

Keywords come from the CSV if it has them, otherwise from the paper, which prints them for its 40
events. An image that no row names is left out (the hub has 8.2k images, the paper counts 8,000),
and a note says so.
"""

import difflib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TypedDict

from kit.benchmarks.identity import identity
from kit.benchmarks.pebench.csv import Line, read_lines, require_one_spelling
from kit.benchmarks.pebench.images import find_images
from kit.benchmarks.records import Concept, Record
from kit.errors import DataError
from kit.experiment.manifest import Columns
from kit.streams import stream

PERSON_QUESTION = "Who is this person?"
EVENT_QUESTION = "Describe the scene in detail."  # the query printed in the paper's Figure 3
# The same questions in other words, for the column Reworded. No system is trained with them, so a
# method that learned to refuse the usual words can be told from one that forgot. The kit's own.
PERSON_REWORDINGS = (
    "What is the name of this person?",
    "Name this person.",
    "Say who this is.",
)
EVENT_REWORDINGS = (
    "What is happening in this scene?",
    "What does this image show?",
    "Tell me about this scene.",
)
PRESENCE_QUESTION = "Is there a {object} in the image?"  # POPE's form
EVENTS = Path(__file__).with_name("events.json")
MAX_EXAMPLES = 3  # names that a message shows


class NearDuplicates(TypedDict):
    """Events that show nearly the same; `by` says whether keywords or names tell so."""

    events: list[str]
    by: str


class PublishedEvents(TypedDict):
    """events.json: the keywords of each event, and the groups of near-duplicates."""

    about: str
    keywords: dict[str, list[str]]
    near_duplicates: list[NearDuplicates]


@dataclass(frozen=True)
class Picture:
    """One row of the table; `name` is the path of its image as the table gives it."""

    name: str
    path: Path
    person: str
    event: str
    description: str
    keywords: tuple[str, ...]

    @property
    def folder(self) -> str:
        """The name of the image's folder. The hub has one folder per person."""
        return PurePosixPath(self.name).parent.name


def read_pictures(
    path: Path,
    mapped: Columns | None = None,
    *,
    by_person: bool = False,
    expected: Callable[[Sequence[str]], frozenset[str] | None] = lambda events: None,
) -> tuple[list[Picture], tuple[str, ...]]:
    """Read a table and check its images; return the pictures, and notes on what is left out.

    Args:
        path: the table; its images are relative to its folder.
        mapped: the manifest's mapping of its columns; None if it cannot map them.
        by_person: every folder of images stands for a person, and must have rows.
        expected: returns which of the table's events to keep, in the form of `plain`; None keeps
            all.

    Raises:
        DataError: `read_lines` or `find_images` refuses the table; a person or an event is spelt
            in two ways; or an event has no keywords in the table or in the paper.
    """
    columns = mapped or Columns()
    fields = [columns.file, columns.person, columns.event, columns.description]
    # A column that the manifest maps must exist. One with the default name may be missing.
    default = columns.keywords in ("", Columns().keywords)
    lines = read_lines(path, mapped, fields if default else [*fields, columns.keywords])
    own = columns.keywords in lines[0].cells
    found = find_images(path.parent, path.name, columns.file, lines, by_person=by_person)
    kept = expected([line.cells[columns.event] for line in lines])
    left = [line for line in lines if kept and plain(line.cells[columns.event]) not in kept]
    lines = [line for line in lines if not kept or plain(line.cells[columns.event]) in kept]
    require_one_spelling(path.name, columns.person, lines)
    require_one_spelling(path.name, columns.event, lines)
    pictures = [_picture(path, line, columns, own, found.paths) for line in lines]
    return pictures, _notes(found.extra, Counter(line.cells[columns.event] for line in left))


def _picture(
    path: Path, line: Line, columns: Columns, own: bool, images: Mapping[str, Path]
) -> Picture:
    cells = {name: cell.strip() for name, cell in line.cells.items()}
    name, event = line.cells[columns.file], cells[columns.event]
    words = _split(cells[columns.keywords]) if own else published_keywords(event)
    if not words:
        raise _no_keywords(path, line, columns, own)
    texts = (cells[columns.person], event, cells[columns.description])
    return Picture(name, images[name], *texts, words)


def _notes(extra: Sequence[str], left: Counter[str]) -> tuple[str, ...]:
    """Return notes on unused images and on rows of other events, if there are any."""
    notes = []
    if extra:
        notes.append(
            f"{len(extra)} images that no row of the table names are left out: {few(extra)}"
        )
    if left:
        shown = few([f"{event} ({count})" for event, count in sorted(left.items())])
        notes.append(
            f"{left.total()} rows of events that the paper does not list are left out: {shown}"
        )
    return tuple(notes)


def records_of(pictures: Iterable[Picture], prefix: str) -> list[Record]:
    """Return a person record and an event record for each picture."""
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


def reworded(record: Record) -> Record:
    """Return the record with its question in other words, drawn by the record's id."""
    forms = PERSON_REWORDINGS if record.concept is Concept.PERSON else EVENT_REWORDINGS
    question = stream("reworded", record.id).choice(forms)
    return replace(record, id=reworded_id(record.id), question=question)


def reworded_id(name: str) -> str:
    """Return the id of the reworded form of a record."""
    return f"{name}/reworded"


def presence_records(path: Path, prefix: str) -> list[Record]:
    """Return the yes/no questions of a table with the columns file, object and answer.

    Raises:
        DataError: `read_lines` or `find_images` refuses the table.
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
def published() -> PublishedEvents:
    """Return keywords and near-duplicates of the 40 events; events.json names their source."""
    document: PublishedEvents = json.loads(EVENTS.read_text(encoding="utf-8"))
    return document


@cache
def published_keywords(event: str) -> tuple[str, ...]:
    """Return the distinct keywords that the paper prints for an event; () for other events."""
    known = {plain(name): words for name, words in published()["keywords"].items()}
    return tuple(dict.fromkeys(known.get(plain(event), ())))


def plain(event: str) -> str:
    """Return an event's name in the form for comparison, which is that of people's names."""
    return identity(event)


def few(names: Sequence[str]) -> str:
    """Return the first few names, for a message."""
    return ", ".join(names[:MAX_EXAMPLES]) + (", ..." if len(names) > MAX_EXAMPLES else "")


def _split(cell: str) -> tuple[str, ...]:
    """Return the keywords of a cell, separated by semicolons, or by commas if it has none."""
    separator = ";" if ";" in cell else ","
    return tuple(word.strip() for word in cell.split(separator) if word.strip())


def _no_keywords(path: Path, line: Line, columns: Columns, own: bool) -> DataError:
    event = line.cells[columns.event]
    known = published()["keywords"]
    near = difflib.get_close_matches(plain(event), known, n=1)
    return DataError(
        f"{path.name}, line {line.number}: no keywords for the event '{event}'",
        expected="keywords separated by ';' or ','" if own else "an event of the paper's tables",
        found=line.cells.get(columns.keywords, "no column with keywords"),
        remedy=("fill in the cell" if own else "map a column with keywords in [benchmark.columns]")
        + (f"; if you meant the paper's event '{near[0]}', correct the name" if near else ""),
    )
