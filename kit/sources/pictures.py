"""Every picture of a source is decoded once, after its bytes have been verified.

A picture that is cut off has its listed digest, and would end a run in the middle of training. What
was found is kept by the digest of the picture, so that another fetch decodes only new ones.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kit.benchmarks.parquet import Place
from kit.benchmarks.unpacking import LISTED_AS_IT_IS, unpacked_images
from kit.digests import read_checksums
from kit.errors import DataError
from kit.experiment.manifest import SourceSection
from kit.pictures.decoding import MARKS, UnreadableError
from kit.pictures.known import DIGITS, known_pictures
from kit.sources.checksum_lists import list_of
from kit.sources.places import listed_place

ENDINGS = frozenset(
    ".png .jpg .jpeg .jpe .jfif .webp .bmp .dib .gif .tif .tiff .avif .jp2 .ppm .tga .qoi .ico "
    ".heic .heif .jxl .svg".split()
)
TABLES = frozenset({".csv", ".tsv", ".json", ".jsonl", ".txt"})
MAX_NAMED = 3


@dataclass(frozen=True)
class Broken:
    """A picture that cannot be read, why, and the rows that name it."""

    path: Path
    error: UnreadableError
    rows: tuple[str, ...]


def check_pictures(source: SourceSection) -> str:
    """Decode the pictures of a source that no earlier call has decoded; return what was found.

    Pictures are the images of its tables, and its listed files with the ending of a picture. One
    that cannot be read is refused if a row names it.

    Returns:
        One line: their number, and how many of them a reader gets otherwise than stored; "" if
        there are none.

    Raises:
        DataError: a picture of a row cannot be read.
    """
    here = listed_place(source)
    pictures = {**_listed_pictures(source, here), **_unpacked_pictures(here)}
    if not pictures:
        return ""
    with known_pictures() as known:
        for path, digest in pictures.items():
            known.examine(digest, path)
    broken = [
        Broken(path, known.errors[digest], tuple(_rows_of(path, here)))
        for path, digest in pictures.items()
        if digest in known.errors
    ]
    if used := [each for each in broken if each.rows]:
        raise _refusal(source, here, used)
    counts = Counter(mark for digest in pictures.values() for mark in known.changes.get(digest, ()))
    return "; ".join(
        [
            f"{len(pictures) - len(broken)} pictures can be read",
            *(f"{counts[mark]} {said}" for mark, said in MARKS.items() if counts[mark]),
            *(f"{_name(each, here)}, which no row names, cannot be read" for each in broken),
        ]
    )


def _refusal(source: SourceSection, here: Place, broken: list[Broken]) -> DataError:
    first, *others = broken
    more = ", ".join(_name(each, here) for each in others[:MAX_NAMED])
    remedy = LISTED_AS_IT_IS
    if source.folder:
        remedy = "replace the picture, or take its rows out; then run `./run.sh lock MANIFEST`"
    return DataError(
        f"{source.name}: the picture {_name(first, here)} cannot be read",
        expected=first.error.expected,
        found=first.error.found + (f"; and {len(others)} others: {more}" if others else ""),
        remedy=remedy,
    )


def _name(broken: Broken, here: Place) -> str:
    """Return a picture's name with the first row that has it."""
    rows = broken.rows
    more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
    if broken.path.is_relative_to(here.images):
        return f"in {rows[0]}{more}"
    named = f" ({rows[0]}{more})" if rows else ""
    return f"{broken.path.relative_to(here.path).as_posix()}{named}"


def _listed_pictures(source: SourceSection, here: Place) -> dict[Path, str]:
    """Return {path: digest} of listed files with the ending of a picture."""
    return {
        here.path / name: digest[:DIGITS]
        for name, digest in read_checksums(list_of(source)).items()
        if PurePosixPath(name).suffix.lower() in ENDINGS and (here.path / name).is_file()
    }


def _unpacked_pictures(here: Place) -> dict[Path, str]:
    return {here.images / name: PurePosixPath(name).stem for name in unpacked_images(here)}


def _rows_of(path: Path, here: Place) -> Iterator[str]:
    """Yield the rows that name a picture, as `PEBench.csv, line 17`."""
    if path.is_relative_to(here.images):
        yield from here.rows_of(path)
        return
    files = [each for each in here.path.rglob("*") if each.is_file()]
    alone = [each.name for each in files].count(path.name) == 1
    for table in sorted(each for each in files if each.suffix.lower() in TABLES):
        # Tables name a file from their own folder, or by its bare name if no other file has it.
        beside = Path(os.path.relpath(path, table.parent)).as_posix()
        names = "|".join(map(re.escape, {beside, path.name} if alone else {beside}))
        named = re.compile(rf"(?<![\w/.-])(\./)?({names})(?![\w.-])")
        for number, line in enumerate(_text(table).replace("\\", "/").split("\n"), 1):
            if named.search(line):
                yield f"{table.relative_to(here.path).as_posix()}, line {number}"


def _text(table: Path) -> str:
    data = table.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")
