"""Write the images of parquet tables into files, once, after the tables have been verified.

Hub datasets store images as bytes inside a table. Their files are named by the digest of their
content: configurations that repeat an image share its file, and no name in a table can point
outside the folder. An index maps rows to images. It states what it was made of, and its digest is
stored beside it.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import PIL
import pyarrow as pa
import pyarrow.parquet as pq

from kit.benchmarks.image_columns import find_listed, holds_pictures, pictures_in
from kit.benchmarks.parquet import INDEX, REMEDY, Place, unreadable
from kit.code import code_of
from kit.digests import format_checksums, hash_files, read_checksums, sha256_file, sha256_value
from kit.errors import ChecksumError, DataError
from kit.pictures.decoding import UnreadableError, format_of
from kit.pictures.known import DIGITS, known_pictures

INDEX_LIST = "index.sha256"
MADE_OF = b"made_of"
WRITERS = ("kit/benchmarks/unpacking.py", "kit/benchmarks/image_columns.py", "kit/pictures/")
ROWS_PER_BATCH = 32  # a row may hold an image of some MB
LISTED_AS_IT_IS = (
    "the table has its listed digest, so another fetch changes nothing: work with a copy of the "
    "table that has no such row, in a `folder` of your own with a list of its own"
)


def unpack(place: Place) -> int:
    """Write the images of all parquet tables under `place.path`; return the number of files.

    The folder appears complete or not at all. A complete and unchanged folder is kept.

    Raises:
        DataError: a table is damaged, or an image is empty or of an unknown format.
    """
    if place.images.is_dir() and not wrong_images(place):
        return len(unpacked_images(place))
    partial = place.images.with_name(place.images.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    entries = []
    with known_pictures() as known:  # decodes on other cores while this one writes
        for table in place.all_tables():
            name = table.relative_to(place.path).as_posix()
            for column, row, item, found in _images(table):
                where = f"{name}, column {column}, row {row}"
                data = (
                    found if isinstance(found, bytes) else _listed_bytes(place, table, found, where)
                )
                image = _write_image(partial, data, where)
                known.examine(Path(image).stem, data)
                entries.append((name, column, row, item, image))
    columns = ("table", "column", "row", "item", "image")
    kinds = (pa.string(), pa.string(), pa.int64(), pa.int64(), pa.string())
    values = list(zip(*entries, strict=True)) or [()] * len(columns)
    index = pa.table([pa.array(v, k) for v, k in zip(values, kinds, strict=True)], names=columns)
    index = index.replace_schema_metadata({MADE_OF: _made_of(place)})
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
    if (pq.read_schema(index).metadata or {}).get(MADE_OF) != _made_of(place).encode():
        return [index]  # of another list, or by another version of the kit
    names = unpacked_images(place)
    found = hash_files(place.images, [name for name in names if (place.images / name).is_file()])
    return [
        place.images / name for name in names if not found.get(name, "").startswith(Path(name).stem)
    ]


def _listed_digest(place: Place) -> str | None:
    try:
        return read_checksums(place.images / INDEX_LIST).get(INDEX)
    except ChecksumError:  # damaged, or of an earlier version: the index is written again
        return None


def unpacked_images(place: Place) -> list[str]:
    """Return the names of all images below `place.images`, sorted and without duplicates."""
    return sorted(set(pq.read_table(place.images / INDEX, columns=["image"])["image"].to_pylist()))


def require_images(place: Place) -> None:
    """Check that the unpacked images are those of the verified tables.

    Raises:
        ChecksumError: an image or the index has changed or is missing.
    """
    if wrong := wrong_images(place):
        raise ChecksumError(
            f"checksum mismatch: {wrong[0]}",
            expected="images named by their digests, and the index that this version of the kit "
            "wrote of the listed tables",
            found=f"{len(wrong)} changed or missing",
            remedy=REMEDY,
        )


def _made_of(place: Place) -> str:
    """Return the digest of what decides an index: the list, the code that writes it, and Pillow."""
    code = code_of(["kit.benchmarks.unpacking"])
    written = {file: digest for file, digest in code.items() if file.startswith(WRITERS)}
    return sha256_value({"list": place.list_digest, "code": written, "pillow": PIL.__version__})


def _images(table: Path) -> Iterator[tuple[str, int, int, bytes | str]]:
    """Yield (column, row, item, bytes or path) of every image in a table."""
    try:
        file = pq.ParquetFile(table)
        columns = [field.name for field in file.schema_arrow if holds_pictures(field)]
        start = 0
        for batch in (
            file.iter_batches(batch_size=ROWS_PER_BATCH, columns=columns) if columns else ()
        ):
            for column in columns:
                for offset, cell in enumerate(batch.column(column).to_pylist()):
                    for item, found in pictures_in(cell):
                        yield column, start + offset, item, found
            start += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise unreadable(table, error) from None


def _listed_bytes(place: Place, table: Path, text: str, where: str) -> bytes:
    try:
        return find_listed(text, table, place.path).read_bytes()
    except ValueError as error:
        raise DataError(
            f"the image in {where} is not there",
            expected="the bytes of a picture, or the path of a file that the source's list names",
            found=str(error),
            remedy="list the file that the cell means, under this path",
        ) from None


def _write_image(folder: Path, data: bytes, where: str) -> str:
    try:
        ending = format_of(data).lower()
    except UnreadableError as error:
        raise DataError(
            f"the image in {where} cannot be read",
            expected=error.expected,
            found=error.found,
            remedy=LISTED_AS_IT_IS,
        ) from None
    digest = hashlib.sha256(data).hexdigest()
    path = folder / digest[:2] / f"{digest[:DIGITS]}.{ending}"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    return path.relative_to(folder).as_posix()
