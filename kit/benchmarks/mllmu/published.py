"""The published questions of one row: multiple choice, free questions and cloze.

Nested cells are structs, or the same as JSON text: pandas and CSV save them so. A question that
cannot be read is left out (`kit.benchmarks.left_out`).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from kit.benchmarks.cells import nested, text
from kit.benchmarks.left_out import OddCell, OddRows
from kit.benchmarks.mllmu.protocol import CHOICE, CLOZE, GENERATION
from kit.benchmarks.modalities import IMAGE_QUESTION, TEXT_QUESTION
from kit.benchmarks.options import NONE_OF_THEM, folded, mapped, offered, right_letter
from kit.benchmarks.right_answers import RightAnswers

QUESTIONS = "questions"
BLANK = "__"
_CHOICES = {"Image_Textual_Questions": IMAGE_QUESTION, "Pure_Text_Questions": TEXT_QUESTION}
_FREE = {"Generation_Task": GENERATION, "Mask_Task": CLOZE}
TASKS = ("Classification_Task", *_FREE)
_KEY = re.compile("[A-Z]|[0-9]{1,2}")
_TYPES = {"image_textual": IMAGE_QUESTION, "pure_text": TEXT_QUESTION}


@dataclass(frozen=True)
class Question:
    """One published question; `options` are ordered (letter, text), only for multiple choice."""

    kind: str
    modality: str
    text: str
    answer: str
    options: tuple[tuple[str, str], ...] = ()


def questions(
    row: Mapping[str, object], table: str, where: str, odd: OddRows, person: str = ""
) -> Iterator[Question]:
    """Yield the questions of a row, in published order.

    Left out and counted are questions with a field that is not as published, without a text or an
    answer, without the answer among the options, or without the blank of a cloze.

    Args:
        table: the configuration, for the count.
        where: file and row, for errors.
        person: the person of the row.
    """

    def leave_out(error: OddCell) -> None:
        known = isinstance(error, NoRightOption)
        odd.leave_out(
            table, error.kind, error.where, person=person, unit=QUESTIONS, published=known
        )

    field = "Classification_Task"
    try:
        task = nested(row[field], dict, where, field)
        if unknown := sorted(set(task) - set(_CHOICES)):
            expected = " and ".join(_CHOICES)
            leave_out(OddCell(where, field, "has other keys", expected=expected, found=unknown))
    except OddCell as error:
        leave_out(error)
        task = {}
    right = RightAnswers()
    for key, modality in _CHOICES.items():
        for entry, place in _entries(task.get(key), where, f"{field}.{key}", leave_out):
            try:
                yield _choice(entry, modality, place, right)
            except OddCell as error:
                leave_out(error)
    for column, kind in _FREE.items():
        for entry, place in _entries(row[column], where, column, leave_out):
            try:
                yield _free(entry, kind, place)
            except OddCell as error:
                leave_out(error)


class NoRightOption(OddCell):
    """The right answer is "None of the above", and no option says so: a published form."""


def _entries(
    value: object, where: str, field: str, leave_out: Callable[[OddCell], None]
) -> Iterator[tuple[object, str]]:
    """Yield the entries of a list, each with its place."""
    try:
        entries = nested(value, list, where, field)
    except OddCell as error:
        leave_out(error)
        return
    for index, entry in enumerate(entries):
        yield entry, f"{where}, {field}[{index}]"


def _choice(entry: object, modality: str, where: str, right: RightAnswers) -> Question:
    found = nested(entry, dict, where, "the question")
    asked = text(found.get("Question"), where, "Question")
    given = nested(mapped(found.get("Options")), dict, where, "Options")
    options = offered(given, where, "Options")
    if not all(map(_KEY.fullmatch, options)):
        problem, expected = "has a key that is no letter", "the keys A, B, C and following"
        raise OddCell(where, "Options", problem, expected=expected, found=given)
    answer = text(found.get("Correct_Answer"), where, "Correct_Answer")
    letter = right_letter(answer, options)
    if letter is None:
        none = folded(answer).rstrip(".").endswith(NONE_OF_THEM)
        expected = f"an option: its letter ({', '.join(sorted(options))}), its text, or both"
        problem = f'is "{NONE_OF_THEM}", which is no option' if none else "is none of the options"
        kind = NoRightOption if none else OddCell
        raise kind(where, "Correct_Answer", problem, expected=expected, found=answer)
    label, texts = f"{modality}: {asked}", options.values()
    right.note(label, options[letter], where, options=texts, name="Correct_Answer")
    # Ten comes after nine.
    ordered = sorted(options.items(), key=lambda option: (len(option[0]), option[0]))
    return Question(CHOICE, modality, asked, letter, tuple(ordered))


def _free(entry: object, kind: str, where: str) -> Question:
    found = nested(entry, dict, where, "the question")
    asked = text(found.get("Question"), where, "Question")
    answer = text(found.get("Ground_Truth"), where, "Ground_Truth")
    modality_name = text(found.get("Type"), where, "Type")
    modality = _TYPES.get(modality_name.casefold())
    if modality is None:
        expected = "Image_Textual or Pure_Text"
        raise OddCell(where, "Type", "is unknown", expected=expected, found=modality_name)
    if kind == CLOZE and BLANK not in asked:
        expected = f"a sentence with the blank {BLANK}"
        raise OddCell(where, "Question", "has no blank", expected=expected, found=asked)
    return Question(kind, modality, asked, answer)
