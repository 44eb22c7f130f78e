"""A published CSV as rows with line numbers; errors say what is wrong and how to fix it.

PEBench does not document its CSV format. Anything ambiguous is refused, with its place and a
remedy: a guess would end up in a result.
"""

import codecs
import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.benchmarks.identity import identity, spelt
from kit.benchmarks.pebench.columns import missing_column, shortened
from kit.errors import DataError
from kit.experiment.manifest import Columns

OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs"}


@dataclass(frozen=True)
class Line:
    """One row: the line of the file on which it begins, and its cells by column name."""

    number: int
    cells: dict[str, str]


def read_lines(path: Path, columns: Columns | None, needed: Sequence[str]) -> list[Line]:
    """Read a CSV in UTF-8, or in UTF-16 with a byte-order mark.

    Args:
        columns: the manifest's mapping of this file's columns; None if it cannot map them.
        needed: columns that must exist and have a value in every row.

    Raises:
        DataError: the file is missing, has another encoding or delimiter, a NUL, a broken quote,
            a row that is too long, a blank cell, a duplicate column or no rows, or lacks a
            required column.
    """
    text = _decode(path)
    _require_text(path, text)
    _require_commas(path, text, needed)
    header, rows = _parse(path, text)
    if any(name not in header for name in needed):
        raise missing_column(path.name, header, rows, columns, needed)
    if doubled := sorted({name for name in header if header.count(name) > 1}):
        raise DataError(
            f"{path.name} has the column '{doubled[0]}' {header.count(doubled[0])} times",
            expected="every column name once",
            found=", ".join(header),
            remedy="rename or remove one of them",
        )
    if not rows:
        raise DataError(
            f"{path} has no rows",
            expected="a header and at least one row",
            found="nothing after the header",
            remedy="run `./run.sh fetch`",
        )
    return [_line(path.name, header, number, row, needed) for number, row in rows]


def require_one_spelling(table: str, column: str, lines: Iterable[Line]) -> None:
    """Check that one name has one spelling. Readers would see one name, counts two.

    Raises:
        DataError: two names differ although they are one by `identity`.
    """
    first: dict[str, tuple[str, int]] = {}
    for line in lines:
        name = line.cells[column].strip()
        seen, number = first.setdefault(identity(name), (name, line.number))
        if seen != name:
            raise DataError(
                f"{table}: '{column}' has one name in two spellings: {spelt(seen, name)}",
                expected="names that differ in more than case, blanks, punctuation, invisible "
                "characters and Unicode form",
                found=f"lines {number} and {line.number}",
                remedy="use one spelling, or make the two names clearly different",
            )


def _line(
    table: str, header: list[str], number: int, row: list[str], needed: Sequence[str]
) -> Line:
    if len(row) > len(header):
        raise DataError(
            f"{table}, line {number}: more cells than columns",
            expected=f"{len(header)} cells",
            found=f"{len(row)}: {shortened(row)}",
            remedy="put every text that contains a comma in double quotes",
        )
    cells = dict(zip(header, row, strict=False))
    if blank := [name for name in needed if not cells.get(name, "").strip()]:
        raise DataError(
            f"{table}, line {number}: an empty or missing value",
            expected=f"a value in the column '{blank[0]}'",
            found=shortened(row),
            remedy="fill in the cell, or remove the row and its image",
        )
    return Line(number, cells)


def _decode(path: Path) -> str:
    if not path.is_file():
        raise DataError(
            f"{path} is missing",
            expected="the published table",
            found="no such file",
            remedy="run `./run.sh fetch`",
        )
    data = path.read_bytes()
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    encoding = "utf-16" if wide else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        # The utf-8-sig codec counts offsets from the end of the mark.
        mark = len(codecs.BOM_UTF8) if not wide and data.startswith(codecs.BOM_UTF8) else 0
        offset = error.start + mark
        raise DataError(
            f"{path} is not {'UTF-16' if wide else 'UTF-8'}",
            expected="UTF-8, or UTF-16 with a byte-order mark",
            found=f"byte {data[offset]:#04x} at offset {offset}",
            remedy=f"convert it: iconv -f WINDOWS-1252 -t UTF-8 '{path.name}' > utf8.csv "
            "(replace WINDOWS-1252 by its actual encoding), and list its new checksum",
        ) from None


def _require_text(path: Path, text: str) -> None:
    if "\0" in text:
        place = text.index("\0")
        raise DataError(
            f"{path.name}, line {text.count(chr(10), 0, place) + 1}: a NUL character",
            expected="text",
            found=f"{text.count(chr(0))} NUL characters, the first after {place} characters",
            remedy="if the table is damaged, fetch it again; if it is UTF-16 without a byte-order "
            f"mark, convert it: iconv -f UTF-16LE -t UTF-8 '{path.name}' > utf8.csv",
        )


def _require_commas(path: Path, text: str, needed: Sequence[str]) -> None:
    """Check the delimiter before parsing, which would report a wrong one as a broken quote.

    Raises:
        DataError: the header has more semicolons or tabs than commas.
    """
    header = text.split("\n", 1)[0].rstrip("\r")
    for delimiter, plural in OTHER_DELIMITERS.items():
        if header.count(delimiter) > header.count(","):
            raise DataError(
                f"{path.name} is separated by {plural}, not by commas",
                expected=f"columns {', '.join(needed)}, separated by commas",
                found=repr(header[:120]),
                remedy="save it again with commas, and list its new checksum",
            )


def _parse(path: Path, text: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the header, and each other row with the line on which it begins."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[tuple[int, list[str]]] = []
    begins = 1
    try:
        for row in reader:
            if row:  # an empty line is not a row
                rows.append((begins, row))
            begins = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{path.name}, line {begins}: the row that begins here cannot be read",
            expected="every double quote closed, and doubled inside a quoted text",
            found=f"{error}, in line {reader.line_num}",
            remedy="close the quote in that row",
        ) from None
    return (rows[0][1], rows[1:]) if rows else ([], [])
