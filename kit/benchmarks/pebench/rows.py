"""From the text of a table to its header and rows, once the delimiter is certain."""

import csv
import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from kit.errors import DataError

DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
Rows = tuple[list[str], list[tuple[int, list[str]]]]


def parse(path: Path, text: str, delimiter: str, above: int = 0) -> Rows:
    """Return the header, and each other row with the line on which it begins.

    Rows without any text are left out, and so are columns without a name and any text: programs
    that write tables add both.

    Args:
        above: lines of the file before `text`.

    Raises:
        DataError: a quote is not closed, or is in the middle of a cell.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[tuple[int, list[str]]] = []
    begins = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append((above + begins, row))
            begins = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{path.name}, line {above + begins}: the row that begins here cannot be read",
            expected="every double quote closed, and doubled inside a quoted text",
            found=f"{error}, in line {above + reader.line_num}",
            remedy="close the quote in that row",
        ) from None
    if not rows:
        return [], []
    header, body = [name.strip() for name in rows[0][1]], rows[1:]
    while header and not header[-1] and not any(_filled(row, len(header) - 1) for _, row in body):
        header.pop()
        body = [(number, row[: len(header)]) for number, row in body]
    return header, body


def _filled(row: Sequence[str], place: int) -> bool:
    return any(cell.strip() for cell in row[place:])


def delimiter_of(path: Path, text: str, fits: Callable[[Sequence[str]], bool]) -> str:
    """Return what separates the cells of a table.

    Certain is what alone occurs in the header. Where several do, it is the one that gives the
    columns that are needed, or else the one that gives all rows the length of the header.

    Args:
        fits: says whether a header has the columns that are needed.

    Raises:
        DataError: several are possible.
    """
    first = re.split(r"\r\n|\n|\r", text.lstrip(), maxsplit=1)[0]
    possible = [each for each in DELIMITERS if each in first] or [","]
    if len(possible) == 1:
        return possible[0]
    tables = {each: table for each in possible if (table := _parsed(path, text, each))}
    fitting = [each for each, (header, _) in tables.items() if fits(header)]
    if len(fitting) == 1:
        return fitting[0]
    even = [
        each
        for each in fitting or tables
        if all(len(row) == len(tables[each][0]) for _, row in tables[each][1])
    ]
    if len(even) == 1:
        return even[0]
    raise DataError(
        f"{path.name}: it is not certain what separates the cells",
        expected="a header with one of " + ", ".join(DELIMITERS.values()),
        found=repr(first[:120]),
        remedy="add the right one to `options` in [benchmark]: "
        + " or ".join(f"delimiter = {toml(each)}" for each in possible),
    )


def toml(text: str) -> str:
    """Return a text as TOML writes it, on one line."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    return f'"{escaped}"'


def _parsed(path: Path, text: str, delimiter: str) -> Rows | None:
    try:
        return parse(path, text, delimiter)
    except DataError:
        return None
