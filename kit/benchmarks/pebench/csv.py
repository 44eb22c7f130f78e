"""A table of text as rows with line numbers; errors say what is wrong and how to mend it.

PEBench does not document its CSV format, and people export their own data in many. Delimiter and
encoding are recognised where that is certain. Otherwise the error says which option names them.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.benchmarks.cells import says_nothing
from kit.benchmarks.identity import identity, spelt
from kit.benchmarks.pebench.encoding import read_text
from kit.benchmarks.pebench.rows import delimiter_of, parse
from kit.errors import DataError

MAX_ROWS_ABOVE = 10  # in which a header is looked for
MAX_CELL_LENGTH = 40  # characters of a cell that an error shows


@dataclass(frozen=True)
class Reading:
    """How tables are written, as far as the manifest says so; "" is recognised."""

    delimiter: str = ""
    encoding: str = ""


@dataclass(frozen=True)
class Table:
    """A table as it is written: its path, its column names, and each row by its first line."""

    path: Path
    header: list[str]
    rows: list[tuple[int, list[str]]]

    @property
    def name(self) -> str:
        """Return the file name."""
        return self.path.name

    def cells(self, number: int, row: Sequence[str]) -> dict[str, str]:
        """Return a row by column name; a short row lacks the last ones.

        Cells that say `nan` or `None` are empty: tables are often written so.

        Raises:
            DataError: the row is longer than the header.
        """
        if len(row) > len(self.header):
            raise DataError(
                f"{self.name}, line {number}: more cells than columns",
                expected=f"{len(self.header)} cells",
                found=f"{len(row)}: {shortened(row)}",
                remedy="put every text that contains the delimiter in double quotes",
            )
        written = ("" if says_nothing(cell) else cell for cell in row)
        return dict(zip(self.header, written, strict=False))


@dataclass(frozen=True)
class Line:
    """What a table says of one image: the line on which its row begins, and its cells by field."""

    number: int
    cells: dict[str, str]


def read_table(path: Path, reading: Reading, fits: Callable[[Sequence[str]], bool]) -> Table:
    """Read a table of text.

    Args:
        path: the table.
        reading: what the manifest says about delimiter and encoding.
        fits: says whether a header has the columns that are needed.

    Raises:
        DataError: the file is missing, is in another encoding, has a NUL, a broken quote, a column
            twice or no rows, or its delimiter is not certain.
    """
    text, above = read_text(path, reading.encoding), 0
    delimiter = reading.delimiter
    if said := re.match(r'"?sep=([^\r\n"])"?\r?\n', text):  # a line that Excel writes and reads
        text, above = text[said.end() :], 1
        delimiter = delimiter or said[1]
    delimiter = delimiter or delimiter_of(path, text, fits)
    header, rows = parse(path, text, delimiter, above)
    _require_one_header(path, header, rows, fits)
    if doubled := sorted({name for name in header if header.count(name) > 1}):
        raise DataError(
            f"{path.name} has the column '{doubled[0]}' {header.count(doubled[0])} times",
            expected="every column name once",
            found=", ".join(header),
            remedy="rename or remove one of them",
        )
    if not rows and header:
        raise DataError(
            f"{path} has no rows",
            expected="a header and at least one row",
            found="nothing after the header",
            remedy="write a row for each image; a file that was cut off has to be brought again",
        )
    return Table(path, header, rows)


def _require_one_header(
    path: Path,
    header: Sequence[str],
    rows: Sequence[tuple[int, list[str]]],
    fits: Callable[[Sequence[str]], bool],
) -> None:
    """Check that nothing stands above the header, and that it is not repeated below.

    Raises:
        DataError: a title is the first row, or tables were joined with their headers.
    """
    stripped = [(number, [cell.strip() for cell in row]) for number, row in rows]
    again = [number for number, row in stripped if row == header]
    if fits(header) and not again:
        return
    later = again or [number for number, row in stripped[:MAX_ROWS_ABOVE] if fits(row)]
    if later:
        raise DataError(
            f"{path.name}, line {later[0]}: "
            + ("the header occurs again" if again else "this is the header, but rows are above it"),
            expected="one header, in the first row",
            found=f"the first row is {shortened(header)}",
            remedy=f"remove line {later[0]}" if again else f"remove the rows above line {later[0]}",
        )


def read_lines(path: Path, needed: Sequence[str], reading: Reading) -> list[Line]:
    """Read a table whose columns have fixed names; every needed cell has a value.

    Raises:
        DataError: `read_table` refuses it, or a column or a value is missing.
    """
    table = read_table(path, reading, lambda header: set(needed) <= set(header))
    if absent := [name for name in needed if name not in table.header]:
        raise DataError(
            f"{table.name} has no column '{absent[0]}'",
            expected=", ".join(needed),
            found=", ".join(table.header) or "an empty file",
            remedy=f"rename its columns to {', '.join(needed)}: [benchmark.columns] maps those of "
            "PEBench.csv alone",
        )
    return [
        Line(number, with_values(table, number, row, {name: name for name in needed}))
        for number, row in table.rows
    ]


def with_values(
    table: Table, number: int, row: Sequence[str], columns: Mapping[str, str]
) -> dict[str, str]:
    """Return {field: cell} of a row, all of them with a value; `columns` is {field: column}.

    Raises:
        DataError: a cell is blank or missing.
    """
    cells = table.cells(number, row)
    found = {field: cells.get(column, "") for field, column in columns.items()}
    if blank := [field for field, cell in found.items() if not cell.strip()]:
        raise no_value(table.name, number, columns[blank[0]], shortened(row))
    return found


def no_value(table: str, number: int, column: str, row: str) -> DataError:
    """Return the error for a blank cell."""
    return DataError(
        f"{table}, line {number}: an empty or missing value",
        expected=f"a value in the column '{column}'",
        found=row,
        remedy="fill in the cell, or remove the row and its image",
    )


def require_one_spelling(table: str, field: str, column: str, lines: Iterable[Line]) -> None:
    """Check that one name has one spelling. Readers would see one name, counts two.

    Args:
        field: one of the fields of `Line.cells`.
        column: where the table has it, for the error.

    Raises:
        DataError: two names differ although they are one by `identity`.
    """
    first: dict[str, tuple[str, int]] = {}
    for line in lines:
        name = line.cells[field].strip()
        seen, number = first.setdefault(identity(name), (name, line.number))
        if seen != name:
            raise DataError(
                f"{table}: '{column}' has one name in two spellings: {spelt(seen, name)}",
                expected="names that differ in more than case, blanks, punctuation, invisible "
                "characters and Unicode form",
                found=f"lines {number} and {line.number}",
                remedy="use one spelling, or make the two names clearly different",
            )


def shortened(row: Sequence[str]) -> str:
    """Return a row on one line, with long cells cut."""
    return ", ".join(
        cell if len(cell) <= MAX_CELL_LENGTH else cell[: MAX_CELL_LENGTH - 3] + "..."
        for cell in (" ".join(cell.split()) for cell in row)
    )
