"""Nested cells of MLLMU-Bench's tables: structs or JSON text, checked, with their place in errors.

The published tables hold structs; copies that went through pandas or CSV hold the same as JSON
text. Both are read. Anything else is an error that names table, row and field.
"""

import json
from typing import Any, TypeVar

from kit.errors import DataError

REMEDY = "this is not the published format, or not the pinned revision; fetch the source again"
NAME_KEY = "name"

T = TypeVar("T", dict, list)


def wrong(where: str, expected: str, found: object) -> DataError:
    """Return the error of a cell that does not hold what it should."""
    return DataError(
        f"MLLMU-Bench: {where} is not as published",
        expected=expected,
        found=repr(found)[:120],
        remedy=REMEDY,
    )


def nested(value: Any, kind: type[T], where: str) -> T:
    """Return a nested cell, which may be JSON text; an empty one where the cell is null.

    Raises:
        DataError: the cell is text but not JSON, or holds something else than `kind`.
    """
    if value is None:
        return kind()
    found = value
    if isinstance(value, str):
        try:
            found = json.loads(value)
        except (ValueError, RecursionError):
            raise wrong(where, f"a {kind.__name__}, or one as JSON", value) from None
    if not isinstance(found, kind):
        raise wrong(where, f"a {kind.__name__}, or one as JSON", value)
    return found


def text(value: Any, where: str) -> str:
    """Return a text without the space around it; numbers count as text.

    Raises:
        DataError: there is none, or something else.
    """
    plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    said = str(value).strip() if plain else ""
    if not said:
        raise wrong(where, "a text that is not empty", value)
    return said


def person_name(biography: Any, fallback: str) -> str:
    """Return the name in a biography, or `fallback` where there is none.

    Keys of biographies are spelt with and without colons and spaces around them. A biography that
    cannot be read is no error: it is asked for nothing but the name that people are grouped by.
    """
    if isinstance(biography, str):
        try:
            biography = json.loads(biography)
        except (ValueError, RecursionError):
            return fallback
    if not isinstance(biography, dict):
        return fallback
    for key, value in biography.items():
        if str(key).strip().strip(":").strip().casefold() == NAME_KEY and isinstance(value, str):
            return " ".join(value.split()) or fallback
    return fallback
