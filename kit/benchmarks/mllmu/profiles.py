"""MLLMU-Bench's profile tables: each row is one person in one image, with 18 questions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

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
    """One published question; `options` are ordered (letter, text), only for multiple choice."""

    kind: str
    modality: str
    text: str
    answer: str
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Profile:
    """One row: a person, one image of them, and the questions."""

    id: str
    person: str
    image: Path
    questions: tuple[Question, ...]


def read_profiles(
    place: Place, config: str, column: str = "image", *, seed: int = 0
) -> dict[str, Profile]:
    """Return {ID: profile} of a configuration.

    Args:
        column: the column with the image. Of a list of images, one is drawn by seed and ID.

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
                expected="one row per ID",
                found=f"{profiles[key].person} and another row",
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
) -> Iterator[tuple[Path, int, dict[str, object]]]:
    """Yield (table, row number, row) of a configuration, which may consist of several files.

    In the published tables, IDs are numbers written as text; plain numbers are accepted as well.
    """
    kinds = {name: pa.string() if name == "ID" else None for name in needed}
    for table in place.tables(config):
        for number, row in enumerate(read_rows(table, kinds)):
            yield table, number, row


def questions(row: Mapping[str, object], where: str) -> Iterator[Question]:
    """Yield the questions of a row, in published order.

    Raises:
        DataError: a nested field is not as published, a question or answer is empty, a correct
            answer is not among the options, or a cloze question has no blank.
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


def _choice(entry: object, modality: str, where: str) -> Question:
    found = nested(entry, dict, where)
    asked = text(found.get("Question"), f"{where}.Question")
    options = nested(found.get("Options"), dict, f"{where}.Options")
    # All rows share one struct; options that a question does not have are null.
    offered = tuple(
        (str(letter).strip(), text(value, f"{where}.Options.{letter}"))
        for letter, value in sorted(options.items())
        if value is not None
    )
    if len(offered) < 2:
        raise wrong(f"{where}.Options", "two options or more", options)
    letter = text(found.get("Correct_Answer"), f"{where}.Correct_Answer")
    if letter not in dict(offered):
        expected = f"the letter of an option: {', '.join(dict(offered))}"
        raise wrong(f"{where}.Correct_Answer", expected, letter)
    return Question(CHOICE, modality, asked, letter, offered)


def _free(entry: object, kind: str, where: str) -> Question:
    found = nested(entry, dict, where)
    asked = text(found.get("Question"), f"{where}.Question")
    answer = text(found.get("Ground_Truth"), f"{where}.Ground_Truth")
    modality_name = text(found.get("Type"), f"{where}.Type")
    modality = _TYPES.get(modality_name.casefold())
    if modality is None:
        raise wrong(f"{where}.Type", "Image_Textual or Pure_Text", modality_name)
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
