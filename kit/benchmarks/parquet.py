"""Published parquet tables: rows without their images, and the place of a source's files.

`kit.benchmarks.unpacking` writes the images of the tables into files, and an index of them.
"""

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kit.benchmarks.image_columns import holds_pictures, is_image_feature, require_pictures
from kit.errors import DataError
from kit.names import show

INDEX = "index.parquet"
REMEDY = (
    "run `./run.sh fetch`, which verifies and unpacks the tables; if its bytes are the listed "
    "ones, get the file again from its publisher"
)
SHARD = re.compile(r"(?P<set>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.parquet")

COPY = re.compile(r"\d{5}-of-\d{5}")  # such as `train-00000-of-00001 (1).parquet`


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
            DataError: there are none, they lie in several folders, or a shard is missing.
        """
        tables = self.all_tables()
        found = [path for path in tables if path.parent.name == config]
        if not found:
            there = sorted({path.parent.name for path in tables})
            raise DataError(
                f"{self.path} has no table of the configuration '{config}'",
                expected=f"a folder {config} with parquet files that the source's list names",
                found=", ".join(there) or "no parquet file",
                remedy="list it in the source's `files`, then run `./run.sh fetch`",
            )
        folders = sorted({path.parent.relative_to(self.path).as_posix() for path in found})
        if len(folders) > 1:
            raise DataError(
                f"the source's list has the configuration '{config}' in several folders",
                expected="one folder: a copy of a table would be read as more rows",
                found=", ".join(folders),
                remedy="take the copies out of the list",
            )
        _require_all_shards(config, found)
        return found

    def all_tables(self) -> list[Path]:
        """Return all parquet files of the source, sorted."""
        return sorted(path for path in self.path.rglob("*.parquet") if path.is_file())

    def image(self, table: Path, column: str, row: int, item: int = 0) -> Path | None:
        """Return the path of an unpacked image, or None if the cell is empty.

        Raises:
            DataError: the tables have not been unpacked, or the column holds something else.
        """
        name = self._index.get((table.relative_to(self.path).as_posix(), column, row, item))
        if name is None:
            require_pictures(_schema(table), column, f"{table.parent.name}/{table.name}")
        return self.images / name if name else None

    def rows_of(self, image: Path) -> list[str]:
        """Return where an unpacked image stands: `full/train-....parquet, column image, row 3`."""
        name = image.relative_to(self.images).as_posix()
        return [
            f"{table}, column {column}, row {row}"
            for (table, column, row, _), found in self._index.items()
            if found == name
        ]

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


def _require_all_shards(config: str, tables: list[Path]) -> None:
    """Refuse shards, `train-00000-of-00002.parquet`, that are not a whole set.

    Raises:
        DataError: one is missing, or one is of another set, such as an earlier revision's, or a
            copy under another name, such as `train-00000-of-00001 (1).parquet`.
    """
    sets: dict[str, list[tuple[int, int]]] = {}
    for table in tables:
        if match := SHARD.fullmatch(table.name):
            number, count = int(match["number"]), int(match["count"])
            sets.setdefault(match["set"].casefold(), []).append((number, count))
    if copies := [t.name for t in tables if not SHARD.fullmatch(t.name) and COPY.search(t.name)]:
        raise DataError(
            f"the configuration '{config}' has a copy of a shard under another name",
            expected="files such as train-00000-of-00001.parquet: rows of a copy are no more rows",
            found=", ".join(copies),
            remedy="take it out of the list; in a folder of your own, delete it and run "
            "`./run.sh lock MANIFEST`",
        )
    for name, shards in sets.items():
        count = shards[0][1]
        if sorted(shards) != [(number, count) for number in range(count)]:
            raise DataError(
                f"the files of the configuration '{config}' are not one whole set",
                expected=f"the {count} files {name}-00000-of-{count:05}.parquet and following",
                found=", ".join(table.name for table in tables),
                remedy="list all files of one revision, and no file of another",
            )


def unreadable(table: Path, error: Exception) -> DataError:
    """Return the error for a file that is no whole parquet table."""
    return DataError(
        f"{table} cannot be read",
        expected="a whole parquet table, whose parts are as long as it states",
        found=f"{table.stat().st_size if table.is_file() else 0} bytes: {show(str(error))[:200]}",
        remedy=REMEDY,
    )


def read_rows(table: Path, needed: dict[str, pa.DataType | None]) -> list[dict[str, object]]:
    """Return the rows of a table without their image bytes.

    Args:
        needed: required columns. Where a type is given, the column must be castable to it.

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
