"""The image files that a table names: safe names, and files that exist and are not empty.

Each folder is listed once: 8,000 images in 200 folders take 200 listings instead of 8,000 look-ups.
"""

import errno
import os
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from glob import escape
from pathlib import Path, PurePosixPath, PureWindowsPath

from kit.benchmarks.pebench.csv import Line
from kit.benchmarks.pebench.events import plain
from kit.errors import DataError

ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
MAX_EXAMPLES = 3  # folders that an error names
EMPTY = "copy the image again; its disk may have been full"
ABSENT_CODES = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP})


@dataclass(frozen=True)
class Images:
    """The checked images of a table: {name: path}, and image files that no row names."""

    paths: dict[str, Path]
    extra: tuple[str, ...]


def find_images(
    root: Path, table: str, lines: Iterable[Line], *, by_person: bool = False
) -> Images:
    """Check every image that a table names, and return them.

    Args:
        root: the folder that the names are relative to.
        table: the file name of the table, for errors.
        lines: the rows of the table; the cell `file` names an image. A name without an ending is
            that of the only image whose name begins so, in any letter case and with `-` and `_`
            for blanks.
        by_person: every folder of images stands for a person, and must have rows.

    Raises:
        DataError: a name points outside `root` or occurs twice (ignoring case), or its file is
            missing or empty; with `by_person`, a folder of images has no row.
    """
    first: dict[str, tuple[str, int]] = {}
    for line in lines:
        name = line.cells["file"]
        _check_name(name, f"{table}, line {line.number}")
        key = str(PurePosixPath(name)).casefold()
        if key in first:
            seen, number = first[key]
            raise DataError(
                f"{table}: image '{name}' occurs twice"
                + ("" if seen == name else f", the first time as '{seen}'"),
                expected="one row per image, and names that differ in more than letter case",
                found=f"lines {number} and {line.number}",
                remedy="remove the duplicate row, or rename one of the files",
            )
        first[key] = (name, line.number)
    names = [name for name, _ in first.values()]
    parents = {str(PurePosixPath(name).parent) for name in names}
    folders = {folder: _sizes(root / folder) for folder in sorted(parents)}
    files = {name: _file(name, folders[str(PurePosixPath(name).parent)]) for name in names}
    _require(root, table, files, folders)
    if by_person:
        _require_rows(root, table, folders)
    named = {str(PurePosixPath(name)) for name in files.values()}
    there = (str(PurePosixPath(folder) / f) for folder, files in folders.items() for f in files)
    extra = [n for n in there if n not in named and PurePosixPath(n).suffix.lower() in ENDINGS]
    return Images({name: root / file for name, file in files.items()}, tuple(sorted(extra)))


def _file(name: str, there: Collection[str]) -> str:
    """Return the path of an image: the name itself, or that of the only file which it can mean."""
    path = PurePosixPath(name)
    if path.name in there or path.suffix.lower() in ENDINGS:
        return name
    wanted = plain(path.name)
    meant = [
        each
        for each in there
        if PurePosixPath(each).suffix.lower() in ENDINGS
        and plain(PurePosixPath(each).stem) == wanted
    ]
    return str(path.with_name(meant[0])) if len(meant) == 1 else name


def _check_name(name: str, where: str) -> None:
    windows = PureWindowsPath(name)
    outside = PurePosixPath(name).is_absolute() or windows.drive or windows.root
    if outside or ".." in windows.parts:
        raise DataError(
            f"{where}: image path '{name}' points outside the dataset's folder",
            expected="a path inside the folder of the table, with '/' between its parts",
            found=repr(name),
            remedy="correct the name in the table",
        )
    if any(ord(character) < 32 for character in name):
        raise DataError(
            f"{where}: image path {name!r} has a control character",
            expected="a file name without NUL or line breaks",
            found=repr(name),
            remedy="correct the name in the table",
        )


def _sizes(folder: Path) -> dict[str, int]:
    """Return {name: size in bytes} of the files in a folder; empty if the folder does not exist."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}
    except OSError as error:
        if error.errno not in ABSENT_CODES:
            raise
        return {}


def _require(
    root: Path, table: str, files: Mapping[str, str], folders: Mapping[str, dict[str, int]]
) -> None:
    def size(name: str) -> int | None:
        path = PurePosixPath(name)
        return folders[str(path.parent)].get(path.name)

    missing = [name for name, file in files.items() if size(file) is None]
    empty = [name for name, file in files.items() if size(file) == 0]
    for wrong, fault in ((missing, "is missing"), (empty, "is empty")):
        if wrong:
            raise DataError(
                f"image {root / wrong[0]} {fault}",
                expected="a non-empty file, which the source's list names, for each of the "
                f"{len(files)} images of {table}",
                found=f"{len(missing)} missing, {len(empty)} of zero bytes",
                remedy=_advice(root, wrong[0]) if missing else EMPTY,
            )


def _advice(root: Path, name: str) -> str:
    """Return what to do about a missing image: where one of its name is, or how to bring it."""
    if "://" in name:
        return "download the images into the folder of the source, and write their paths there"
    if "\\" in name:
        return "write '/' in place of '\\' in the table: that is how paths are written here"
    if cased := _in_other_case(root, name):
        return (
            f"there is a file {cased}: write its path as it is in the folder, or rename the file; "
            "letter case counts, and so does the Unicode form of accents (macOS writes another)"
        )
    if there := _elsewhere(root, name):
        return (
            f"there is a file {there}: say in [benchmark.columns] which folders come before it, as "
            'in file = "images/{person}/{COLUMN}", where COLUMN is what `file` is now'
        )
    return (
        "put the image into the folder of the source, or correct its name in the table; then run "
        "`./run.sh lock MANIFEST` (for a source of the hub: `./run.sh fetch MANIFEST`)"
    )


def _in_other_case(root: Path, name: str) -> str:
    """Return the path that differs from an image's in letter case or Unicode form alone; or ""."""

    def folded(text: str) -> str:
        return unicodedata.normalize("NFC", text).casefold()

    found = root
    for part in PurePosixPath(name).parts:
        try:
            alike = [each for each in found.iterdir() if folded(each.name) == folded(part)]
        except OSError:
            return ""
        exact = [each for each in alike if each.name == part]
        if not alike:
            return ""
        found = (exact or sorted(alike))[0]
    return found.relative_to(root).as_posix() if found.is_file() else ""


def _elsewhere(root: Path, name: str) -> str:
    """Return the first path of an image in a folder below; "" if there is none."""
    given = escape(name) if PurePosixPath(name).suffix else f"{escape(name)}.*"
    try:
        found = [p for depth in (1, 2, 3) for p in sorted(root.glob("*/" * depth + given))]
        return next((p.relative_to(root).as_posix() for p in found if p.is_file()), "")
    except OSError:  # a name that is too long for the disk
        return ""


def _require_rows(root: Path, table: str, folders: Collection[str]) -> None:
    """Check that every folder of images has a row, so that no person is left out unnoticed."""
    unknown = []
    for above in sorted({str(PurePosixPath(folder).parent) for folder in folders if folder != "."}):
        with os.scandir(root / above) as entries:
            beside = [e.name for e in entries if e.is_dir() and not e.name.startswith(".")]
        names = [str(PurePosixPath(above) / name) for name in beside]
        unknown += [n for n in names if n not in folders and _has_images(root / n)]
    if unknown:
        raise DataError(
            f"{table} has no row for the images in {root / min(unknown)}",
            expected="a row for each person who has a folder",
            found=f"{len(unknown)} folders of images without a row: "
            + ", ".join(sorted(unknown)[:MAX_EXAMPLES]),
            remedy="add the rows, or remove the folder from the source's `files`",
        )


def _has_images(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return any(PurePosixPath(entry.name).suffix.lower() in ENDINGS for entry in entries)
