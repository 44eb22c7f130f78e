"""CLEAR's published tables as checked rows: configurations, cells, and what is left out of them.

A cell that cannot be read is an error that names its file, row and column; nothing is repaired.
Two rules leave rows out. A row with the image and the caption of an earlier row of its
configuration is the same row published twice: the first stays. A text row with the question and
the answer of an earlier one likewise.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from kit.benchmarks.parquet import Place, read_rows
from kit.errors import DataError

TEXT = pa.string()
TEXTS = pa.list_(pa.string())
REMEDY = "compare the table with the pinned revision; a row that is wrong there has to be reported"


@dataclass(frozen=True)
class Row:
    """One row of a configuration: `number` counts over all of its files, `where` names the cell's
    file and the row within it.
    """

    config: str
    number: int
    where: str
    image: Path | None
    cells: Mapping[str, Any]

    def text(self, column: str) -> str:
        """Return a cell's text without the white space around it.

        Raises:
            DataError: it is null, empty or no text.
        """
        if found := self.text_or_empty(column):
            return found
        raise self.error(column, "a text that is not empty")

    def text_or_empty(self, column: str) -> str:
        """Return a cell's text; "" where it is null or empty, or the table has no such column.

        Raises:
            DataError: it holds something else.
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
            DataError: it is null, empty, or one of its texts is.
        """
        value = self.cells.get(column)
        if not isinstance(value, list) or not value:
            raise self.error(column, "a list of texts that is not empty")
        if not all(isinstance(item, str) and item.strip() for item in value):
            raise self.error(column, "a list in which no text is empty")
        return tuple(item.strip() for item in value)

    def error(self, column: str, expected: str) -> DataError:
        """Return the error that this cell is not what was expected."""
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
    """Return all rows of a configuration, in the order in which they were published.

    Raises:
        DataError: the configuration or one of the needed columns is missing.
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
    """Return the rows of an image configuration, each image with its caption once.

    Args:
        more: columns beside image, caption and name that must be there, with their types.

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
    """Return the rows of a `+tofu` configuration that have no image: questions and answers.

    Its image rows are those of the image configuration, which names the people; they are read
    from there.

    Raises:
        DataError: there are none, or one has no question or no answer.
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
    """Return what makes two image rows the same."""
    return row.image, row.text("caption")


def text_key(row: Row) -> tuple[object, ...]:
    """Return what makes two text rows the same."""
    return row.text("question"), row.text("answer")


def few(count: int, total: int) -> bool:
    """Say whether `count` of `total` rows may be off, as some published counts are.

    One row, or one in a hundred: the published forget10_perturbed lacks 1 of 379.
    """
    return count <= max(1, total // 100)


def _once(rows: Sequence[Row], key: Callable[[Row], tuple[object, ...]]) -> list[Row]:
    kept: dict[tuple[object, ...], Row] = {}
    for row in rows:
        kept.setdefault(key(row), row)
    return list(kept.values())
