"""PEBench's table and image folders as pictures, and each picture as two records.

An image that no row names is left out (the hub has 8.2k images, the paper counts 8,000), and so is
a portrait: the one image of a person that may have neither event nor description. Notes say so.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from kit.benchmarks.pebench.columns import missing_column, not_mappable
from kit.benchmarks.pebench.csv import (
    Line,
    Reading,
    read_lines,
    read_table,
    require_one_spelling,
)
from kit.benchmarks.pebench.events import keywords_of, plain
from kit.benchmarks.pebench.images import Images, find_images
from kit.benchmarks.pebench.shapes import Found, absent_field, image_lines, mapping_of
from kit.benchmarks.records import VERDICTS, Concept, Record
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
MAX_EXAMPLES = 3  # names that a message shows
RECOGNISED = Reading()


@dataclass(frozen=True)
class Picture:
    """One row of the table; `name` is the path of its image, relative to the table."""

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
    reading: Reading = RECOGNISED,
) -> tuple[list[Picture], tuple[str, ...]]:
    """Read a table and check its images; return the pictures, and notes on what is left out.

    Args:
        path: the table; its images are relative to its folder.
        mapped: the manifest's mapping of its columns; None if it cannot map them.
        by_person: every folder of images stands for a person, and must have rows.
        expected: returns which of the table's events to keep, in the form of `plain`; None keeps
            all.
        reading: the delimiter and encoding that the manifest names.

    Raises:
        DataError: `read_table`, `image_lines` or `find_images` refuses the table; it lacks a
            column; a person or an event is spelt in two ways; no name has a letter; or an event has
            no keywords.
    """
    fields, rows, found = _read(path, mapped, reading, by_person=by_person)
    kept = expected([line.cells["event"] for line in rows.lines])
    left = [line for line in rows.lines if kept and plain(line.cells["event"]) not in kept]
    lines = [line for line in rows.lines if not kept or plain(line.cells["event"]) in kept]
    for field in ("person", "event"):
        require_one_spelling(path.name, field, fields[field], lines)
    _require_names(path, fields["person"], lines)
    keywords = keywords_of(path, lines, fields.get("keywords"), reading)
    pictures = [
        _picture(line, words, found.paths) for line, words in zip(lines, keywords, strict=True)
    ]
    extra = [name for name in found.extra if name not in rows.portraits]
    left_out = Counter(line.cells["event"] for line in left)
    return pictures, _notes(extra, rows.portraits, left_out)


def _require_names(path: Path, column: str, lines: Sequence[Line]) -> None:
    """Refuse numbers of people in place of names, as labels of the hub are stored."""
    names = dict.fromkeys(line.cells["person"].strip() for line in lines)
    if names and not any(any(map(str.isalpha, name)) for name in names):
        raise DataError(
            f"{path.name}: the names in '{column}' have no letters",
            expected="names that a model can learn and say",
            found=few([*names]),
            remedy="say in [benchmark.columns] which column has the names, as in person = "
            '"COLUMN"; where they are numbers of labels, write the names of the labels',
        )


def images_of(path: Path, mapped: Columns | None, reading: Reading) -> list[Path]:
    """Return the images that a table names, those of events that are left out included.

    Raises:
        DataError: as `read_pictures`.
    """
    return list(_read(path, mapped, reading, by_person=False)[2].paths.values())


def _read(
    path: Path, mapped: Columns | None, reading: Reading, *, by_person: bool
) -> tuple[dict[str, str], Found, Images]:
    """Return {field: place}, the lines of a table, and its images."""
    columns = mapped or Columns()

    def fits(header: Sequence[str]) -> bool:
        return absent_field(mapping_of(columns, header), header) is None

    table = read_table(path, reading, fits)
    fields = mapping_of(columns, table.header)
    if absent := absent_field(fields, table.header):
        if mapped is None:
            raise not_mappable(table, fields[absent], list(fields.values()))
        raise missing_column(table, columns, fields, absent)
    rows = image_lines(table, fields)
    return fields, rows, find_images(path.parent, path.name, rows.lines, by_person=by_person)


def _picture(line: Line, keywords: tuple[str, ...], images: Mapping[str, Path]) -> Picture:
    path = images[line.cells["file"]]
    file = str(PurePosixPath(line.cells["file"]).with_name(path.name))
    person, event, description = (
        line.cells[name].strip() for name in ("person", "event", "description")
    )
    return Picture(file, path, person, event, description, keywords)


def _notes(extra: Sequence[str], portraits: Sequence[str], left: Counter[str]) -> tuple[str, ...]:
    """Return notes on unused images and on rows of other events, if there are any."""
    notes = []
    if extra:
        notes.append(
            f"{len(extra)} images that no row of the table names are left out: {few(extra)}"
        )
    if portraits:
        notes.append(
            f"{len(portraits)} images with neither event nor description, at most one of each "
            f"person, are left out: {few(portraits)}"
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


def presence_records(path: Path, prefix: str, reading: Reading = RECOGNISED) -> list[Record]:
    """Return the yes/no questions of a table with the columns file, object and answer.

    Raises:
        DataError: `read_lines` or `find_images` refuses the table, or an answer is neither yes nor
            no.
    """
    lines = read_lines(path, ["file", "object", "answer"], reading)
    for line in lines:
        if line.cells["answer"] not in VERDICTS:
            raise DataError(
                f"{path.name}, line {line.number}: the answer is unknown",
                expected=" or ".join(VERDICTS),
                found=repr(line.cells["answer"])[:80],
                remedy="correct the answer; `./run.sh lock MANIFEST` lists the corrected table",
            )
    images = find_images(path.parent, path.name, lines).paths
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


def few(names: Sequence[str]) -> str:
    """Return the first few names, for a message."""
    return ", ".join(names[:MAX_EXAMPLES]) + (", ..." if len(names) > MAX_EXAMPLES else "")
