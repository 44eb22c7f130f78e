"""The error for a table with other column names: it suggests the mapping for the manifest."""

import difflib
from collections.abc import Sequence

from kit.errors import DataError
from kit.experiment.manifest import Columns

MAX_SAMPLE_ROWS = 3
MAX_CELL_LENGTH = 40  # characters of a cell that an error shows
SYNONYMS = {
    "file": ("image", "path"),
    "person": ("name", "label"),
    "event": ("scene", "activity"),
    "description": ("caption", "text", "answer"),
    "keywords": ("keyword", "tags"),
}


def missing_column(
    table: str,
    header: list[str],
    rows: Sequence[tuple[int, list[str]]],
    columns: Columns | None,
    needed: Sequence[str],
) -> DataError:
    """Return the error for a missing column, with the mapping to write into the manifest.

    Args:
        table: the file name of the table.
        header: its column names.
        rows: the line number and the cells of each row; the first few are shown, shortened.
        columns: the manifest's mapping of this table's columns; None if it cannot map them.
        needed: the required columns.
    """
    absent = next(name for name in needed if name not in header)
    sample = "".join(
        f"\n    line {number}: {shortened(row)}" for number, row in rows[:MAX_SAMPLE_ROWS]
    )
    remedy = "restore the table: the columns of this one cannot be mapped in the manifest"
    if columns:
        advice = "map the columns in the manifest (guessed from their names; check them):\n"
        remedy = advice + columns_block(columns, header)
    return DataError(
        f"{table} has no column '{absent}'",
        expected=", ".join(needed),
        found=f"{', '.join(header) or 'an empty file'}{sample}",
        remedy=remedy,
    )


def columns_block(columns: Columns, header: list[str]) -> str:
    """Return a `[benchmark.columns]` block for a header; columns with other names are guessed.

    A field without a similarly named column becomes a comment.
    """
    mapped = columns.model_dump()
    free = [name for name in header if name not in mapped.values()]
    lines = ["    [benchmark.columns]"]
    for field, name in mapped.items():
        found = name if name in header else _guess(field, name, free)
        if found in free:
            free.remove(found)
        quoted = '"' + found.replace("\\", "\\\\").replace('"', '\\"') + '"'
        lines.append(
            f"    {field} = {quoted}" if found else f"    # {field} = one of the other columns"
        )
    return "\n".join(lines)


def _guess(field: str, name: str, free: list[str]) -> str:
    """Return the unused column with the nearest words, else the nearest spelling; "" if none."""
    by_words = {column.casefold().replace("_", " "): column for column in free}
    wanted = [word.casefold() for word in (field, name, *SYNONYMS[field]) if word]
    for word in wanted:
        for words in by_words:
            if word == words or word in words.split():
                return by_words[words]
    for word in wanted:
        if near := difflib.get_close_matches(word, by_words, n=1, cutoff=0.75):
            return by_words[near[0]]
    return ""


def shortened(row: Sequence[str]) -> str:
    """Return a row on one line, with long cells cut."""
    return ", ".join(
        cell if len(cell) <= MAX_CELL_LENGTH else cell[: MAX_CELL_LENGTH - 3] + "..."
        for cell in row
    )
