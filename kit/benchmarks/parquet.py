"""Published parquet tables: rows without their images, and the images as separate files.

Hub datasets store images as bytes inside a table. They are unpacked once, after the digest of the
table has been checked, into files that are named by the digest of their content. Configurations
that repeat an image share its file, and no name in a table can point outside the folder. An index
maps rows to images; the digest of the index is stored beside it.
"""

import hashlib
import io
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, UnidentifiedImageError

from kit.digests import format_checksums, hash_files, read_checksums, sha256_file
from kit.errors import ChecksumError, DataError

INDEX = "index.parquet"
INDEX_LIST = "index.sha256"
ROWS_PER_BATCH = 32  # a row may hold an image of some MB
REMEDY = "run `./run.sh fetch`, which verifies and unpacks the tables"


@dataclass(frozen=True)
class Place:
    """The folder of one source's files, and the folder of the images unpacked from its tables."""

    path: Path
    images: Path

    def tables(self, config: str) -> list[Path]:
        """Return the parquet files of a configuration, sorted: those in folders of that name.

        Raises:
            DataError: there are none.
        """
        found = sorted(p for p in self.path.rglob("*.parquet") if p.parent.name == config)
        if not found:
            there = sorted({p.parent.name for p in self.path.rglob("*.parquet")})
            raise DataError(
                f"{self.path} has no table of the configuration '{config}'",
                expected=f"a folder {config} with parquet files",
                found=", ".join(there) or "no parquet file",
                remedy="list it in the source's `files`, then run `./run.sh fetch`",
            )
        return found

    def image(self, table: Path, column: str, row: int, item: int = 0) -> Path | None:
        """Return the path of an unpacked image, or None if the cell is empty.

        Raises:
            DataError: the tables have not been unpacked.
        """
        name = self._index.get((table.relative_to(self.path).as_posix(), column, row, item))
        return self.images / name if name else None

    @cached_property
    def _index(self) -> dict[tuple[str, str, int, int], str]:
        path = self.images / INDEX
        if not path.is_file():
            raise DataError(f"the images of {self.path} are not unpacked", remedy=REMEDY)
        columns = pq.read_table(path).to_pydict()
        keys = zip(*(columns[name] for name in ("table", "column", "row", "item")), strict=True)
        return dict(zip(keys, columns["image"], strict=True))


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
                remedy="this is not the published format, or not the pinned revision",
            )
        plain = [field.name for field in present if not _holds_images(field.type)]
        rows = file.read(columns=plain)
        for name, kind in needed.items():
            if kind is not None and name in plain:
                rows = rows.set_column(plain.index(name), name, rows[name].cast(kind))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{table} cannot be read", found=str(error)[:200], remedy=REMEDY) from None
    if not rows.num_rows:
        raise DataError(f"{table} has no rows", remedy=REMEDY)
    try:
        return list(rows.to_pylist())
    except (ValueError, OverflowError) as error:  # bytes that are no UTF-8, or a date out of range
        raise DataError(
            f"{table.parent.name}/{table.name} has a cell that is not of its column's type",
            expected="texts in UTF-8, and dates that a calendar has",
            found=str(error)[:200],
            remedy="write the table again from its source, and list its new checksum",
        ) from None


def unpack(place: Place) -> int:
    """Write the images of all parquet tables under `place.path`; return the number of files.

    The folder appears complete or not at all. A complete and unchanged folder is kept.

    Raises:
        DataError: a table is damaged, or an image is empty or of an unknown format.
    """
    if place.images.is_dir() and not wrong_images(place):
        return len(_indexed(place))
    partial = place.images.with_name(place.images.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    entries = []
    for table in sorted(place.path.rglob("*.parquet")):
        name = table.relative_to(place.path).as_posix()
        for column, row, item, data in _images(table):
            where = f"{name}, column {column}, row {row}"
            entries.append((name, column, row, item, _write_image(partial, data, where)))
    columns = ("table", "column", "row", "item", "image")
    kinds = (pa.string(), pa.string(), pa.int64(), pa.int64(), pa.string())
    values = list(zip(*entries, strict=True)) or [()] * len(columns)
    index = pa.table([pa.array(v, k) for v, k in zip(values, kinds, strict=True)], names=columns)
    pq.write_table(index, partial / INDEX)
    listed = format_checksums({INDEX: sha256_file(partial / INDEX)})
    (partial / INDEX_LIST).write_text(listed, encoding="utf-8")
    shutil.rmtree(place.images, ignore_errors=True)
    os.replace(partial, place.images)
    return len({entry[-1] for entry in entries})


def wrong_images(place: Place) -> list[Path]:
    """Return files that differ from what was unpacked: the index, missing or changed images."""
    index = place.images / INDEX
    if not place.images.is_dir():
        return []  # nothing was unpacked; `Place.image` raises the error
    if not index.is_file() or sha256_file(index) != _listed_digest(place):
        return [index]
    names = _indexed(place)
    found = hash_files(place.images, [name for name in names if (place.images / name).is_file()])
    return [
        place.images / name for name in names if not found.get(name, "").startswith(Path(name).stem)
    ]


def _listed_digest(place: Place) -> str | None:
    try:
        return read_checksums(place.images / INDEX_LIST).get(INDEX)
    except ChecksumError:  # damaged, or of an earlier version: the index is written again
        return None


def _indexed(place: Place) -> list[str]:
    """Return the images that the index names, sorted and without duplicates."""
    return sorted(set(pq.read_table(place.images / INDEX, columns=["image"])["image"].to_pylist()))


def require_images(place: Place) -> None:
    """Check that the unpacked images are those of the verified tables.

    Raises:
        ChecksumError: an image or the index has changed or is missing.
    """
    if wrong := wrong_images(place):
        raise ChecksumError(
            f"checksum mismatch: {wrong[0]}",
            expected="images named by their digests, and the index that was written with them",
            found=f"{len(wrong)} changed or missing",
            remedy=REMEDY,
        )


def _images(table: Path) -> Iterator[tuple[str, int, int, bytes]]:
    """Yield (column, row, item, bytes) of every image in a table."""
    try:
        file = pq.ParquetFile(table)
        columns = [f.name for f in file.schema_arrow if _holds_images(f.type)]
        start = 0
        for batch in (
            file.iter_batches(batch_size=ROWS_PER_BATCH, columns=columns) if columns else ()
        ):
            for column in columns:
                for offset, cell in enumerate(batch.column(column).to_pylist()):
                    for item, image in enumerate(cell if isinstance(cell, list) else [cell]):
                        # The hub writes an empty cell as null, or as a struct of nulls.
                        if image is not None and any(v is not None for v in image.values()):
                            yield column, start + offset, item, image["bytes"] or b""
            start += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{table} cannot be read", found=str(error)[:200], remedy=REMEDY) from None


def _holds_images(kind: pa.DataType) -> bool:
    """Say whether a column is the hub's Image feature {bytes, path}, or a list of them."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _holds_images(kind.value_type)
    return pa.types.is_struct(kind) and {f.name for f in kind} == {"bytes", "path"}


def _write_image(folder: Path, data: bytes, where: str) -> str:
    try:
        with Image.open(io.BytesIO(data)) as image:
            ending = (image.format or "").lower()
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"the image in {where} cannot be read",
            found=f"{len(data)} bytes: {type(error).__name__}",
            remedy="the table is as published: report it to the publisher, or leave the row out",
        ) from None
    digest = hashlib.sha256(data).hexdigest()
    path = folder / digest[:2] / f"{digest[:32]}.{ending}"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    return path.relative_to(folder).as_posix()
