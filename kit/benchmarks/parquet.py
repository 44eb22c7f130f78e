"""Published parquet tables: rows without their images, and the images as files of their own.

Hub datasets keep images as bytes inside a table. They are unpacked once, after the table's digest
has been checked, into files named by their own content: configurations that repeat an image share
it, and no name that a table holds can point outside the folder. Which row has which image stands in
an index, whose digest lies beside it.
"""

import hashlib
import io
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, UnidentifiedImageError

from kit.digests import format_checksums, hash_files, read_checksums, sha256_file
from kit.errors import ChecksumError, DataError

INDEX = "index.parquet"
INDEX_LIST = "index.sha256"
BATCH = 32  # rows; a row may hold an image of some MB
REMEDY = "run `./run.sh fetch`, which verifies and unpacks the tables"


@dataclass(frozen=True)
class Place:
    """Where the files of one source lie, and the images that were unpacked from its tables."""

    path: Path
    images: Path

    def tables(self, config: str) -> list[Path]:
        """Return the parquet files of a configuration: those in folders of its name, in order.

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
        """Return an unpacked image, or None where the cell is empty.

        Raises:
            DataError: the tables have not been unpacked.
        """
        name = self._index.get((table.relative_to(self.path).as_posix(), column, row, item))
        return self.images / name if name else None

    @cached_property
    def _index(self) -> dict[tuple[str, str, int, int], str]:
        path = self.images / INDEX
        if not path.is_file():
            raise DataError(f"{self.path}: its images are not unpacked", remedy=REMEDY)
        columns = pq.read_table(path).to_pydict()
        keys = zip(*(columns[name] for name in ("table", "column", "row", "item")), strict=True)
        return dict(zip(keys, columns["image"], strict=True))


def read_rows(table: Path, needed: dict[str, pa.DataType | None]) -> list[dict[str, Any]]:
    """Return the rows of a table, its image bytes left out.

    Args:
        needed: columns that must be there; where a type is given, theirs must be castable to it.

    Raises:
        DataError: the file is damaged, has no rows, or lacks a needed column.
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
    return list(rows.to_pylist())


def unpack(place: Place) -> int:
    """Write the images of all parquet tables under `place.path`; return how many files there are.

    The folder appears whole or not at all; one that is there and right is kept.

    Raises:
        DataError: a table is damaged, or an image is empty or of no known format.
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
    """Return what is not as it was unpacked: the index, or images that are missing or changed."""
    index = place.images / INDEX
    if not place.images.is_dir():
        return []  # nothing was unpacked; whoever asks for an image is told so
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
    except ChecksumError:  # of an earlier version, or damaged: then the index is made again
        return None


def _indexed(place: Place) -> list[str]:
    """Return the images that the index names, each once."""
    return sorted(set(pq.read_table(place.images / INDEX, columns=["image"])["image"].to_pylist()))


def require_images(place: Place) -> None:
    """Prove that the unpacked images are what was in the verified tables.

    Raises:
        ChecksumError: one of them, or the index of which row has which, has changed or is missing.
    """
    if wrong := wrong_images(place):
        raise ChecksumError(
            f"checksum mismatch: {wrong[0]}",
            expected="images named after their bytes, and the index that was made with them",
            found=f"{len(wrong)} changed or missing",
            remedy=REMEDY,
        )


def _images(table: Path) -> Iterator[tuple[str, int, int, bytes]]:
    """Yield (column, row, item, bytes) of every image in a table."""
    try:
        file = pq.ParquetFile(table)
        columns = [f.name for f in file.schema_arrow if _holds_images(f.type)]
        start = 0
        for batch in file.iter_batches(batch_size=BATCH, columns=columns) if columns else ():
            for column in columns:
                for offset, cell in enumerate(batch.column(column).to_pylist()):
                    for item, image in enumerate(cell if isinstance(cell, list) else [cell]):
                        # The hub writes an empty cell as a null, or as a struct of nulls.
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
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise DataError(
            f"the image in {where} cannot be read",
            found=f"{len(data)} bytes: {type(error).__name__}",
            remedy="the table is as it was published: report it, or leave the row out",
        ) from None
    digest = hashlib.sha256(data).hexdigest()
    path = folder / digest[:2] / f"{digest[:32]}.{ending}"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    return path.relative_to(folder).as_posix()
