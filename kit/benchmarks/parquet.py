"""Published parquet tables: rows without their images, and the place of a source's files.

`kit.benchmarks.unpacking` writes the images of the tables into files, and an index of them.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kit.benchmarks.image_columns import holds_pictures, is_image_feature, require_pictures
from kit.benchmarks.shards import require_one_split
from kit.errors import DataError
from kit.names import show

INDEX, ENDING = "index.parquet", ".parquet"
REMEDY = (
    "run `./run.sh fetch`, which verifies and unpacks the tables; if its bytes are the listed "
    "ones, get the file again from its publisher"
)


@dataclass(frozen=True)
class Place:
    """The folder of one source's listed files, and the folder of the images in its tables.

    `path` holds the files that the source's list names and no others: what a loader finds there
    has its listed digest.
    """

    path: Path
    images: Path
    list_digest: str = ""

    def tables(self, config: str) -> list[Path]:
        """Return the parquet files of a configuration, sorted: those in a folder of that name.

        Raises:
            DataError: there are none, or as for `require_one_split`.
        """
        tables = self.all_tables()
        found = [path for path in tables if path.parent.name == config]
        if not found:
            there = sorted({p.parent.relative_to(self.path).as_posix() for p in tables})
            raise DataError(
                f"{self.path} has no table of the configuration '{config}'",
                expected=f"a folder {config} with parquet files that the source's list names",
                found=", ".join(there) or "no parquet file",
                remedy="list it in the source's `files`, then run `./run.sh fetch`",
            )
        require_one_split(f"the configuration '{config}'", found, self.path)
        return found

    def all_tables(self) -> list[Path]:
        """Return all parquet files of the source, sorted."""
        return sorted(
            path
            for path in self.path.rglob("*")
            if path.suffix.lower() == ENDING and path.is_file()
        )

    def image(self, table: Path, column: str, row: int, item: int = 0) -> Path | None:
        """Return the path of an unpacked image, or None if the cell is empty.

        Raises:
            DataError: the tables have not been unpacked, or the column holds something else.
        """
        name = self._index.get((table.relative_to(self.path).as_posix(), column, row, item))
        if name is None:
            require_pictures(_schema(table), column, f"{table.parent.name}/{table.name}")
        return self.images / name if name else None

    def images_in(self, table: Path, column: str, row: int) -> list[Path]:
        """Return the unpacked images of a cell that holds a list, without empty items.

        Raises:
            DataError: as for `image`.
        """
        key = table.relative_to(self.path).as_posix(), column, row
        if not (found := self._items.get(key, [])):
            self.image(table, column, row)  # says what else the column holds
        return [self.images / name for _, name in sorted(found)]

    def rows_of(self, image: Path) -> list[str]:
        """Return where an unpacked image stands: `full/train-....parquet, column image, row 3`."""
        name = image.relative_to(self.images).as_posix()
        return [
            f"{table}, column {column}, row {row}"
            for (table, column, row, _), found in self._index.items()
            if found == name
        ]

    @cached_property
    def _items(self) -> dict[tuple[str, str, int], list[tuple[int, str]]]:
        found: dict[tuple[str, str, int], list[tuple[int, str]]] = {}
        for (table, column, row, item), name in self._index.items():
            found.setdefault((table, column, row), []).append((item, name))
        return found

    @cached_property
    def _index(self) -> dict[tuple[str, str, int, int], str]:
        path = self.images / INDEX
        if not path.is_file():
            raise DataError(
                f"the images of {self.path} are not unpacked",
                expected=f"the index {path}",
                found="no such file",
                remedy=REMEDY,
            )
        columns = pq.read_table(path).to_pydict()
        keys = zip(*(columns[name] for name in ("table", "column", "row", "item")), strict=True)
        return dict(zip(keys, columns["image"], strict=True))


@lru_cache(maxsize=256)
def _schema(table: Path) -> pa.Schema:
    return pq.read_schema(table)


def unreadable(table: Path, error: Exception) -> DataError:
    """Return the error for a file that is no whole parquet table."""
    return DataError(
        f"{table} cannot be read",
        expected="a whole parquet table, whose parts are as long as it states",
        found=f"{table.stat().st_size if table.is_file() else 0} bytes: {show(str(error))[:200]}",
        remedy=REMEDY,
    )


def read_rows(
    table: Path, needed: dict[str, pa.DataType | None], *, only: bool = False
) -> list[dict[str, object]]:
    """Return the rows of a table without their image bytes.

    Args:
        needed: required columns. Where a type is given, the column must be castable to it.
        only: read no other columns.

    Raises:
        DataError: the file is damaged, has no rows, or lacks a required column.
    """
    try:
        file = pq.ParquetFile(table)
        present = file.schema_arrow
        if missing := [name for name in needed if name not in present.names]:
            raise DataError(
                f"{table.parent.name}/{table.name} has no column '{missing[0]}'",
                expected=", ".join(needed),
                found=", ".join(present.names),
                remedy="rename the columns of your own table; a published one: pin the revision "
                "that the manifests of the kit name",
            )
        plain = [
            field.name
            for field in present
            if not (holds_pictures(field) or is_image_feature(field.type))
            and (field.name in needed or not only)
        ]
        rows = file.read(columns=plain)
        for name, kind in needed.items():
            if kind is not None and name in plain:
                rows = rows.set_column(plain.index(name), name, rows[name].cast(kind))
    except (pa.ArrowException, OSError) as error:
        raise unreadable(table, error) from None
    if not rows.num_rows:
        raise DataError(
            f"{table} has no rows",
            expected="a table with at least one row",
            found=f"0 rows of the columns {', '.join(present.names)[:160]}",
            remedy=REMEDY,
        )
    try:
        return list(rows.to_pylist(maps_as_pydicts="strict"))
    except (ValueError, OverflowError, KeyError) as error:
        # Bytes that are no UTF-8, a date out of range, or a map with a key twice.
        raise DataError(
            f"{table.parent.name}/{table.name} has a cell that is not of its column's type",
            expected="texts in UTF-8, dates that a calendar has, maps with each key once",
            found=str(error)[:200],
            remedy="write the table again from its source, and list its new checksum",
        ) from None
