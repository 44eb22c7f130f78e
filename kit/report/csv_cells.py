"""Cells of a CSV file that a spreadsheet shows and does not run."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

import pandas as pd
from pandas.api.types import is_numeric_dtype

from kit.names import printable

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?|nan|[+-]?inf", re.IGNORECASE)
_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def csv_cell(value: object) -> object:
    """Return a cell that no spreadsheet takes for a formula.

    A text that begins with `=`, `+`, `-`, `@`, a tab or a line break gets an apostrophe before it,
    unless it is a number. Characters that a terminal would act on become escapes. Numbers and null
    stay as they are. A cell that has been through here does not change when it passes again.
    """
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(_STARTS) and not _NUMBER.fullmatch(text) else text


def csv_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose texts are safe cells; its numbers are the same."""
    texts = [name for name in frame.columns if not is_numeric_dtype(frame[name])]
    return frame.assign(**{name: frame[name].map(csv_cell, na_action="ignore") for name in texts})


def csv_lines(head: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """Return a table as CSV."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([csv_cell(cell) for cell in line] for line in lines)
    return stream.getvalue()
