"""CLEAR's two sets of the real world: faces of known people, and questions about photographs.

The type of the published column `options` could not be verified. A list of texts is read, and a
mapping of letters to texts, each also where it is written as a text (JSON or Python); anything
else is refused.
"""

import ast
import json
from typing import Any

from kit.benchmarks.clear.records import same_words, without
from kit.benchmarks.clear.tables import REMEDY, TEXT, Row, read_config
from kit.benchmarks.parquet import Place
from kit.benchmarks.records import Concept, Record
from kit.errors import DataError

FACES, WORLD = "real_faces", "real_world"


def real_faces(place: Place) -> list[Record]:
    """Return one record for each real face: its name is asked for, the other options are wrong.

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
    """Return one record for each question about the real world.

    Raises:
        DataError: as for `real_faces`.
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
            raise row.error("options", "at least one option beside the answer")
        asked.append((row, answer, others))
    return asked


def resolve(answer: str, options: Any, row: Row) -> tuple[str, tuple[str, ...]]:
    """Return the answer and the options as texts.

    An answer that is a letter of a mapping means the option of that letter.

    Raises:
        DataError: the options are of no known form, or the answer is a letter and the options
            have none.
    """
    given = _decoded(options)
    texts = list(given.values()) if isinstance(given, dict) else given
    if isinstance(given, dict):  # a parquet struct has every key of the column, some of them null
        texts = [text for text in texts if text is not None]
    if not isinstance(texts, list) or not texts or not all(_is_text(text) for text in texts):
        raise row.error("options", "a list of texts, or letters with texts, or either as a text")
    stripped = tuple(text.strip() for text in texts)
    if same_words(answer) in {same_words(text) for text in stripped}:
        return answer, stripped
    if isinstance(given, dict) and _is_text(given.get(answer)):
        return given[answer].strip(), stripped
    if len(answer) == 1 and answer.isalpha():
        raise row.error("options", f"the option that the answer '{answer}' is the letter of")
    return answer, stripped


def _decoded(options: Any) -> Any:
    """Return options that are written as a text as values; others as they are."""
    if not isinstance(options, str):
        return options
    for read in (json.loads, ast.literal_eval):
        try:
            return read(options)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            continue  # all of them are what the two raise for a text that is no literal of theirs
    return None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())
