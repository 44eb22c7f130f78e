"""Nested cells of MLLMU-Bench's tables: structs or JSON text, checked.

The published tables hold structs. Copies that were saved by pandas or as CSV hold the same content
as JSON text. Both are accepted. Anything else is an error that names table, row and field.
"""

import json
from typing import TypeVar

from kit.errors import DataError

REMEDY = "this is not the published format, or not the pinned revision; fetch the source again"
NAME_KEY = "name"

T = TypeVar("T", dict[str, object], list[object])


def wrong(where: str, expected: str, found: object) -> DataError:
    """Return the error for a cell with an unexpected value."""
    return DataError(
        f"MLLMU-Bench: {where} is not as published",
        expected=expected,
        found=repr(found)[:120],
        remedy=REMEDY,
    )


def nested(value: object, kind: type[T], where: str) -> T:
    """Return a nested cell, which may be JSON text; an empty value if the cell is null.

    Raises:
        DataError: the cell is a text but not JSON, or its value is not of type `kind`.
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


def text(value: object, where: str) -> str:
    """Return a text without surrounding white space; numbers count as text.

    Raises:
        DataError: it is empty, or neither a text nor a number.
    """
    plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    stripped = str(value).strip() if plain else ""
    if not stripped:
        raise wrong(where, "a non-empty text", value)
    return stripped


def person_name(biography: object, fallback: str) -> str:
    """Return the name in a biography, or `fallback` if it has none.

    Keys of biographies may be surrounded by colons and spaces. An unreadable biography is not an
    error: it is only needed for the name by which answers are grouped.
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
