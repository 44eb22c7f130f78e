"""The error for a table with other columns: it shows the table and the mapping to write."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from kit.benchmarks.pebench.csv import Table, shortened
from kit.benchmarks.pebench.guesses import guess
from kit.benchmarks.pebench.rows import toml
from kit.errors import DataError
from kit.experiment.manifest import Columns

MAX_SAMPLE_ROWS = 3
MAX_SAMPLE_LENGTH = 200  # characters of a row that an error shows
ADVICE = "map the columns in the manifest (guessed from the table; check them):\n"
UNKNOWN = {
    "file": '"images/{person}/{event}.png", or one of the columns',
    "person": "one of the columns",
    "event": 'one of the columns; "event_*" or "events[].name" for one row per person',
    "description": 'one of the columns; "description_*" or "events[].text" for one row per person',
    "keywords": "one of the columns, or write keywords.csv",
}


def missing_column(
    table: Table, columns: Columns, fields: Mapping[str, str], absent: str
) -> DataError:
    """Return the error for a missing column, with the mapping to write into the manifest.

    Args:
        table: its first rows are shown, shortened.
        columns: the manifest's mapping.
        fields: {field: place} of what is needed.
        absent: the field whose place the table does not have.
    """
    return DataError(
        f"{table.name} has no column '{fields[absent]}'",
        expected=", ".join(fields.values()),
        found=f"{', '.join(table.header) or 'an empty file'}{_sample(table)}",
        remedy=ADVICE + columns_block(columns, table.header, table.rows, table.path.parent),
    )


def not_mappable(table: Table, absent: str, needed: Sequence[str]) -> DataError:
    """Return the error for a missing column of a table whose columns the manifest does not map."""
    return DataError(
        f"{table.name} has no column '{absent}'",
        expected=", ".join(needed),
        found=f"{', '.join(table.header) or 'an empty file'}{_sample(table)}",
        remedy=f"rename its columns to {', '.join(needed)}: the manifest maps those of PEBench.csv "
        "alone",
    )


def columns_block(
    columns: Columns,
    header: Sequence[str],
    rows: Sequence[tuple[int, list[str]]] = (),
    root: Path | None = None,
) -> str:
    """Return a `[benchmark.columns]` block for a table; columns of other names are guessed.

    A field without a similarly named column becomes a comment.

    Args:
        columns: the mapping so far.
        header: the column names.
        rows: the rows by line, of which the first shows what cells hold.
        root: the folder of the table, for the paths of images.
    """
    cells = dict(zip(header, rows[0][1], strict=False)) if rows else {}
    guessed = guess(columns, header, cells, root)
    lines = ["    [benchmark.columns]"]
    for field, name in guessed.items():
        known = f"{field} = {toml(name)}" if name else f"# {field} = {UNKNOWN[field]}"
        lines.append(f"    {known}")
    return "\n".join(lines)


def _sample(table: Table) -> str:
    lines = [f"line {number}: {shortened(row)}" for number, row in table.rows[:MAX_SAMPLE_ROWS]]
    return "".join(
        "\n    "
        + (line if len(line) <= MAX_SAMPLE_LENGTH else line[: MAX_SAMPLE_LENGTH - 3] + "...")
        for line in lines
    )
