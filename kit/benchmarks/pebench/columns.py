"""A table whose columns have other names: what it has, and the block of the manifest to write."""

import difflib
from collections.abc import Sequence

from kit.errors import DataError
from kit.experiment.manifest import Columns

SAMPLE_ROWS, CELL = 3, 40
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
    """Return the error that a needed column is not there, with what to write instead.

    Args:
        rows: the line and the cells of each row; a few are shown, shortened.
        columns: what the manifest says of this table's columns; None where it cannot map them.
    """
    absent = next(name for name in needed if name not in header)
    sample = "".join(f"\n    line {number}: {shortened(row)}" for number, row in rows[:SAMPLE_ROWS])
    remedy = "restore the table: this one is the kit's own, and its columns cannot be mapped"
    if columns:
        said = "map the real columns in the manifest (guessed by their names, to be checked):\n"
        remedy = said + columns_block(columns, header)
    return DataError(
        f"{table} has no column '{absent}'",
        expected=", ".join(needed),
        found=f"{', '.join(header) or 'an empty file'}{sample}",
        remedy=remedy,
    )


def columns_block(columns: Columns, header: list[str]) -> str:
    """Return the `[benchmark.columns]` block that maps a header, guessed where a name differs.

    A field without a column of a similar name is left as a comment.
    """
    mapped = columns.model_dump()
    free = [name for name in header if name not in mapped.values()]
    lines = ["    [benchmark.columns]"]
    for field, name in mapped.items():
        found = name if name in header else _guess(field, name, free)
        if found in free:
            free.remove(found)
        quoted = '"' + found.replace("\\", "\\\\").replace('"', '\\"') + '"'
        lines.append(f"    {field} = {quoted}" if found else f"    # {field} = one of the others")
    return "\n".join(lines)


def _guess(field: str, name: str, free: list[str]) -> str:
    """Return the free column whose words, or else whose spelling, are nearest to a field."""
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
    """Return a row on one line, long cells cut."""
    return ", ".join(cell if len(cell) <= CELL else cell[: CELL - 3] + "..." for cell in row)
