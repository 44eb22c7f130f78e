"""CLEAR's two real-world sets: faces of known people, and questions about photographs.

The type of the published column `options` could not be verified. Accepted are a list of texts and a
mapping of letters to texts, either of them also as a string (JSON or a Python literal). Anything
else is refused.
"""

import ast
import json
from typing import TypeGuard

from kit.benchmarks.clear.records import same_words, without
from kit.benchmarks.clear.tables import REMEDY, TEXT, Row, read_config
from kit.benchmarks.parquet import Place
from kit.benchmarks.records import Concept, Record
from kit.errors import DataError

FACES, WORLD = "real_faces", "real_world"


def real_faces(place: Place) -> list[Record]:
    """Return one record per real face. The question asks for the name; other options are wrong.

    Raises:
        DataError: the configuration, an image or an answer is missing, or options are malformed.
    """
    return [
        Record(
            f"{FACES}/{row.number}#person",
            Concept.PERSON,
            row.text("question"),
            answer,
            row.image,
            answer,
            candidates=others,
        )
        for row, answer, others in _asked(place, FACES)
    ]


def real_world(place: Place) -> list[Record]:
    """Return one record per question about the real world.

    Raises:
        DataError: a row is missing its image or answer, or its options are malformed.
    """
    return [
        Record(
            f"{WORLD}/{row.number}#fact",
            Concept.FACT,
            row.text("question"),
            answer,
            row.image,
            candidates=others,
        )
        for row, answer, others in _asked(place, WORLD)
    ]


def _asked(place: Place, config: str) -> list[tuple[Row, str, tuple[str, ...]]]:
    """Return (row, answer, wrong options) of a configuration."""
    needed = {"image": None, "question": TEXT, "answer": TEXT, "options": None}
    asked = []
    for row in read_config(place, config, needed):
        if row.image is None:
            raise DataError(
                f"{row.where}, column 'image' is empty", expected="an image", remedy=REMEDY
            )
        answer, options = resolve(row.text("answer"), row.cells.get("options"), row)
        others = without(options, answer)
        if not others:
            raise row.error("options", "at least one option besides the answer")
        asked.append((row, answer, others))
    return asked


def resolve(answer: str, options: object, row: Row) -> tuple[str, tuple[str, ...]]:
    """Return the answer and the options as texts.

    If the answer is a letter of a mapping, the option of that letter is the answer.

    Raises:
        DataError: the options have an unknown form, or the answer is a letter that they lack.
    """
    given = _decoded(options)
    # A parquet struct has all keys of the column; some of them are null.
    cells = [c for c in given.values() if c is not None] if isinstance(given, dict) else given
    texts = tuple(c.strip() for c in cells if _is_text(c)) if isinstance(cells, list) else ()
    if not isinstance(cells, list) or not cells or len(texts) < len(cells):
        expected = "a list of texts, a mapping of letters to texts, or one of them as a string"
        raise row.error("options", expected)
    if same_words(answer) in {same_words(text) for text in texts}:
        return answer, texts
    if isinstance(given, dict) and _is_text(option := given.get(answer)):
        return option.strip(), texts
    if len(answer) == 1 and answer.isalpha():
        raise row.error("options", f"an option with the letter '{answer}', which is the answer")
    return answer, texts


def _decoded(options: object) -> object:
    """Return the value of options that are written as a string; other options unchanged."""
    if not isinstance(options, str):
        return options
    for read in (json.loads, ast.literal_eval):
        try:
            value: object = read(options)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            continue  # the errors of both readers for a string that is not a literal
        return value
    return None


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value.strip())
