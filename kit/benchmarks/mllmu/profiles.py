"""MLLMU-Bench's tables of profiles: one row is one person in one image, with 18 questions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from kit.benchmarks.mllmu.cells import REMEDY, nested, person_name, text, wrong
from kit.benchmarks.mllmu.protocol import CHOICE, CLOZE, GENERATION, IMAGE_QUESTION, TEXT_QUESTION
from kit.benchmarks.parquet import Place, read_rows
from kit.errors import DataError
from kit.streams import stream

BLANK = "__"
_CHOICES = {"Image_Textual_Questions": IMAGE_QUESTION, "Pure_Text_Questions": TEXT_QUESTION}
_FREE = {"Generation_Task": GENERATION, "Mask_Task": CLOZE}
_TYPES = {"image_textual": IMAGE_QUESTION, "pure_text": TEXT_QUESTION}


@dataclass(frozen=True)
class Question:
    """One published question; `options` are (letter, text) in order and empty unless a choice."""

    kind: str
    modality: str
    text: str
    answer: str
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Profile:
    """One row: a person, one image of them, and what is asked."""

    id: str
    person: str
    image: Path
    questions: tuple[Question, ...]


def read_profiles(
    place: Place, config: str, column: str = "image", *, seed: int = 0
) -> dict[str, Profile]:
    """Return the profiles of a configuration by ID.

    Args:
        column: where the image is; a list of several is drawn from by seed and ID.

    Raises:
        DataError: a table or column is missing, a cell is not as published, or an ID occurs twice.
    """
    needed = (column, "ID", "biography", "Classification_Task", *_FREE)
    profiles: dict[str, Profile] = {}
    for table, number, row in rows(place, config, needed):
        where = f"{table.parent.name}/{table.name}, row {number}"
        key = text(row["ID"], f"{where}, ID")
        if key in profiles:
            raise DataError(
                f"MLLMU-Bench: {where}: ID {key} occurs twice in {config}",
                expected="one row an ID",
                found=f"{profiles[key].person} and another",
                remedy=REMEDY,
            )
        profiles[key] = Profile(
            key,
            person_name(row["biography"], key),
            _image(place, table, column, number, where, ("mllmu/image", seed, key)),
            tuple(questions(row, where)),
        )
    return profiles


def ids_of(place: Place, config: str) -> set[str]:
    """Return the IDs of a configuration."""
    found = rows(place, config, ("ID",))
    return {
        text(row["ID"], f"{table.parent.name}/{table.name}, row {number}, ID")
        for table, number, row in found
    }


def rows(
    place: Place, config: str, needed: tuple[str, ...]
) -> Iterator[tuple[Path, int, dict[str, Any]]]:
    """Yield (table, row number, row) of a configuration, which may be several files.

    IDs are numbers written as text in the published tables; numbers are taken for the same.
    """
    kinds = {name: pa.string() if name == "ID" else None for name in needed}
    for table in place.tables(config):
        for number, row in enumerate(read_rows(table, kinds)):
            yield table, number, row


def questions(row: Mapping[str, Any], where: str) -> Iterator[Question]:
    """Yield the questions of a row, in the order in which they are published.

    Raises:
        DataError: a nested field is not as published, a question or answer is empty, a correct
            answer is no option, or a cloze question has no blank.
    """
    field = f"{where}, Classification_Task"
    task = nested(row["Classification_Task"], dict, field)
    if odd := sorted(set(task) - set(_CHOICES)):
        raise wrong(field, " and ".join(_CHOICES), odd)
    for key, modality in _CHOICES.items():
        for index, entry in enumerate(nested(task.get(key), list, f"{field}.{key}")):
            yield _choice(entry, modality, f"{field}.{key}[{index}]")
    for column, kind in _FREE.items():
        for index, entry in enumerate(nested(row[column], list, f"{where}, {column}")):
            yield _free(entry, kind, f"{where}, {column}[{index}]")


def _choice(entry: Any, modality: str, where: str) -> Question:
    found = nested(entry, dict, where)
    asked = text(found.get("Question"), f"{where}.Question")
    options = nested(found.get("Options"), dict, f"{where}.Options")
    # Options that a question does not have are null where all rows share one struct.
    offered = tuple(
        (str(letter).strip(), text(value, f"{where}.Options.{letter}"))
        for letter, value in sorted(options.items())
        if value is not None
    )
    if len(offered) < 2:
        raise wrong(f"{where}.Options", "two options or more", options)
    letter = text(found.get("Correct_Answer"), f"{where}.Correct_Answer")
    if letter not in dict(offered):
        expected = f"one of the options' letters: {', '.join(dict(offered))}"
        raise wrong(f"{where}.Correct_Answer", expected, letter)
    return Question(CHOICE, modality, asked, letter, offered)


def _free(entry: Any, kind: str, where: str) -> Question:
    found = nested(entry, dict, where)
    asked = text(found.get("Question"), f"{where}.Question")
    answer = text(found.get("Ground_Truth"), f"{where}.Ground_Truth")
    said = text(found.get("Type"), f"{where}.Type")
    modality = _TYPES.get(said.casefold())
    if modality is None:
        raise wrong(f"{where}.Type", "Image_Textual or Pure_Text", said)
    if kind == CLOZE and BLANK not in asked:
        raise wrong(f"{where}.Question", f"a sentence with the blank {BLANK}", asked)
    return Question(kind, modality, asked, answer)


def _image(
    place: Place, table: Path, column: str, row: int, where: str, names: tuple[str | int, ...]
) -> Path:
    images: list[Path] = []
    while (image := place.image(table, column, row, len(images))) is not None:
        images.append(image)
    if not images:
        raise wrong(f"{where}, {column}", "an image", None)
    return images[0] if len(images) == 1 else stream(*names).choice(images)
