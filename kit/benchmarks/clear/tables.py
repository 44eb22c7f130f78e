"""CLEAR's published tables as checked rows: configurations, cells, and duplicate rows.

A cell that cannot be read is an error that names its file, row and column; nothing is repaired.
Some rows are published twice; the first one is kept. An image row is a duplicate if an earlier row
of its configuration has the same image and caption, a text row if an earlier one has the same
question and answer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from kit.benchmarks.parquet import Place, read_rows
from kit.errors import DataError

TEXT = pa.string()
TEXTS = pa.list_(pa.string())
REMEDY = "compare the table with the pinned revision; report rows that are wrong there"


@dataclass(frozen=True)
class Row:
    """One row of a configuration.

    `number` counts rows over all files of the configuration; `where` names the file and the row
    in it, for errors.
    """

    config: str
    number: int
    where: str
    image: Path | None
    cells: Mapping[str, object]

    def text(self, column: str) -> str:
        """Return a cell's text without surrounding white space.

        Raises:
            DataError: it is null, empty or not a text.
        """
        if found := self.text_or_empty(column):
            return found
        raise self.error(column, "a non-empty text")

    def text_or_empty(self, column: str) -> str:
        """Return a cell's text; "" if it is null or empty, or if the column does not exist.

        Raises:
            DataError: it is not a text.
        """
        value = self.cells.get(column)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.error(column, "a text")
        return value.strip()

    def texts(self, column: str) -> tuple[str, ...]:
        """Return a cell's list of texts.

        Raises:
            DataError: it is null or empty, or one of its texts is empty.
        """
        value = self.cells.get(column)
        if not isinstance(value, list) or not value:
            raise self.error(column, "a non-empty list of texts")
        if not all(isinstance(item, str) and item.strip() for item in value):
            raise self.error(column, "a list of non-empty texts")
        return tuple(item.strip() for item in value)

    def error(self, column: str, expected: str) -> DataError:
        """Return the error for a cell with an unexpected value."""
        found = repr(self.cells.get(column))[:120]
        return DataError(
            f"{self.where}, column '{column}' cannot be used",
            expected=expected,
            found=found,
            remedy=REMEDY,
        )


def has_config(place: Place, config: str) -> bool:
    """Say whether the source has a configuration."""
    return any(path.parent.name == config for path in place.path.rglob("*.parquet"))


def read_config(place: Place, config: str, needed: dict[str, pa.DataType | None]) -> list[Row]:
    """Return all rows of a configuration, in published order.

    Raises:
        DataError: the configuration or one of the required columns is missing.
    """
    rows: list[Row] = []
    for table in place.tables(config):
        for index, cells in enumerate(read_rows(table, needed)):
            where = f"{config}/{table.name}, row {index}"
            rows.append(Row(config, len(rows), where, place.image(table, "image", index), cells))
    return rows


def image_rows(
    place: Place, config: str, more: Mapping[str, pa.DataType] | None = None
) -> list[Row]:
    """Return the rows of an image configuration, without duplicates.

    Args:
        more: required columns besides image, caption and name, with their types.

    Raises:
        DataError: a row has no image or no caption.
    """
    needed = {"image": None, "caption": TEXT, "name": TEXT, **(more or {})}
    rows = read_config(place, config, needed)
    for row in rows:
        if row.image is None:
            raise DataError(
                f"{row.where}, column 'image' is empty",
                expected="an image in every row of this configuration",
                remedy=REMEDY,
            )
    return _once(rows, image_key)  # reads every caption


def text_rows(place: Place, config: str) -> list[Row]:
    """Return the rows of a `+tofu` configuration without an image: questions and answers.

    Its image rows repeat those of the image configuration, which also names the people; they are
    read from there.

    Raises:
        DataError: there are no such rows, or one has no question or no answer.
    """
    needed = {"image": None, "question": TEXT, "answer": TEXT}
    rows = [row for row in read_config(place, config, needed) if row.image is None]
    if not rows:
        raise DataError(
            f"the configuration '{config}' has no text row",
            expected="rows whose image is null",
            found="an image in every row",
            remedy=REMEDY,
        )
    return _once(rows, text_key)


def image_key(row: Row) -> tuple[object, ...]:
    """Return the key of an image row: rows with equal keys are duplicates."""
    return row.image, row.text("caption")


def text_key(row: Row) -> tuple[object, ...]:
    """Return the key of a text row: rows with equal keys are duplicates."""
    return row.text("question"), row.text("answer")


def few(count: int, total: int) -> bool:
    """Say whether so few of `total` rows may be off: one row, or one in a hundred.

    Some published counts are: forget10_perturbed lacks 1 of 379 rows.
    """
    return count <= max(1, total // 100)


def _once(rows: Sequence[Row], key: Callable[[Row], tuple[object, ...]]) -> list[Row]:
    kept: dict[tuple[object, ...], Row] = {}
    for row in rows:
        kept.setdefault(key(row), row)
    return list(kept.values())
