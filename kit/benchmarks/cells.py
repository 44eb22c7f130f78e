"""Cells of published tables as what their type says: texts, ids, and nested values.

Read is what has one meaning, such as a number where a text is expected, or JSON text where a struct
is. Anything else is an `OddCell` that names the value by its real type.
"""

import math
import re
from datetime import date, time, timedelta
from decimal import Decimal
from typing import TypeVar

from kit.benchmarks.identity import is_invisible
from kit.benchmarks.left_out import OddCell
from kit.benchmarks.literals import DoubledKey, read_json

T = TypeVar("T", dict[str, object], list[object])

# A float holds every whole number below this; from here on it may be another than the written one.
EXACT = 2**53
# Invisible characters that may surround a text. Joiners and variation selectors belong to letters.
# What programs write for an empty cell of a column of texts. "None" may be an answer.
EMPTY = frozenset({"nan", "NaN", "NaT", "<NA>"})
_NO_NAMES = frozenset({"none", "null", "n/a"})
_AROUND = "\u200b\u200e\u200f\u2060\ufeff"
_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "true or false"),
    ((bytes, bytearray, memoryview), "bytes"),
    ((list, tuple), "a list"),
    (dict, "a struct"),
    ((int, float, Decimal), "a number"),
    ((date, time, timedelta), "a date or time"),
    (str, "a text"),
)


def kind_of(value: object) -> str:
    """Return what a value is, in words."""
    return next((name for kind, name in _KINDS if isinstance(value, kind)), type(value).__name__)


def is_missing(value: object) -> bool:
    """Say whether a cell is empty: null, NaN, or a text of blanks and invisible characters.

    NaN may be written as a text, as pandas does where it makes texts of a column.
    """
    if isinstance(value, str):
        return all(c.isspace() or is_invisible(c) for c in value) or value.strip() in EMPTY
    return value is None or (isinstance(value, float | Decimal) and value != value)


def text(value: object, where: str, field: str) -> str:
    """Return a text without surrounding blanks.

    Raises:
        OddCell: it is empty, or as for `text_or_empty`.
    """
    if found := text_or_empty(value, where, field):
        return found
    raise OddCell(where, field, "is empty", expected="a non-empty text", found=value)


def text_or_empty(value: object, where: str, field: str) -> str:
    """Return a text without surrounding blanks; "" if the cell is empty. Numbers count as text.

    Raises:
        OddCell: it is neither a text nor a number, the number is infinite or too large for its
            type, or the text has a character that cannot be stored.
    """
    if is_missing(value):
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise OddCell(
            where, field, f"is {kind_of(value)}, not a text", expected="a text", found=value
        )
    if not isinstance(value, str):
        return _number(value, where, field)
    if "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
        raise OddCell(
            where, field, "has a NUL or half a character", expected="Unicode text", found=value
        )
    return _trimmed(value)


def says_nothing(written: str) -> bool:
    """Say whether a text is empty, or what programs and people write for an empty cell."""
    return is_missing(written) or written.strip().casefold() in _NO_NAMES


def name_or_empty(value: object, where: str, field: str) -> str:
    """Return a name; "" if the cell is empty, or says that there is none.

    Raises:
        OddCell: as for `text_or_empty`.
    """
    found = text_or_empty(value, where, field)
    return "" if says_nothing(found) else found


def id_of(value: object, where: str, field: str = "ID") -> str:
    """Return an id in its one form, "" if the cell is empty.

    Ids are numbers, which tables hold as integers, as floats (pandas makes them of integers where
    a row had none) or as text with zeros in front. `1`, `1.0`, `"1"` and `"001"` are one id, "1".
    Other texts stay as they are.

    Raises:
        OddCell: it is a number with a fraction, a float too large to be exact, or no id at all.
    """
    found = text_or_empty(value, where, field)
    if number := re.fullmatch(r"(\d+)(?:\.0*)?", found):
        return str(int(number[1])) if len(number[1]) <= 100 else found
    if re.fullmatch(r"[-+]?[\d.]+(?:[eE][-+]?\d+)?", found):
        raise OddCell(where, field, "is no whole number", expected="an id", found=value)
    return found


def nested(value: object, kind: type[T], where: str, field: str) -> T:
    """Return a nested cell, which may be JSON text; an empty value if the cell is empty.

    Raises:
        OddCell: it is text but not JSON, a key occurs twice in it, or it is not of type `kind`.
    """
    if is_missing(value):
        return kind()
    expected = f"{_WORDS[kind]}, or one as JSON"
    found = value
    if isinstance(value, str):
        try:
            found = read_json(_trimmed(value))
        except DoubledKey as error:
            raise OddCell(
                where, field, "has a key twice", expected=expected, found=str(error)
            ) from None
        except (ValueError, RecursionError):
            raise OddCell(where, field, "is not JSON", expected=expected, found=value) from None
    if found is None:
        return kind()
    if not isinstance(found, kind):
        problem = f"is {kind_of(found)}, not {_WORDS[kind]}"
        raise OddCell(where, field, problem, expected=expected, found=value)
    return found


_WORDS: dict[type, str] = {dict: "a struct", list: "a list"}


def _number(value: int | float | Decimal, where: str, field: str) -> str:
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        raise OddCell(where, field, "is an infinite number", expected="a text", found=value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if abs(value) >= EXACT:
        problem = "is a number too large to be exact"
        raise OddCell(where, field, problem, expected="a whole number or text", found=value)
    return str(int(value)) if value.is_integer() else repr(value)


def _trimmed(value: str) -> str:
    while (less := value.strip().strip(_AROUND)) != value:
        value = less
    return value
