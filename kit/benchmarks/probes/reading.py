"""Read the files of a probe's source; whatever is not as published is an error that names it."""

from collections.abc import Collection, Iterator
from pathlib import Path

from kit.benchmarks import cells
from kit.benchmarks.image_columns import find_listed
from kit.benchmarks.literals import read_json
from kit.benchmarks.parquet import Place, read_rows
from kit.benchmarks.records import VERDICTS
from kit.benchmarks.shards import require_one_split
from kit.errors import DataError
from kit.names import show
from kit.texts import EXPECTED, NotText, decode_text

Row = dict[str, object]
REMEDY = (
    "get the file again from its publisher; in a folder of your own, correct it and run "
    "`./run.sh lock MANIFEST`"
)


def table_rows(place: Place, columns: Collection[str]) -> Iterator[tuple[str, Row, Path]]:
    """Yield (place in words, row, picture) of all parquet tables of a source.

    Args:
        columns: those that every table must have; `image` holds the pictures.

    Raises:
        DataError: there is no table, they are not one split, a column is missing, or a row has no
            picture.
    """
    tables = place.all_tables()
    if not tables:
        raise DataError(
            f"{place.path} has no parquet table",
            expected=f"tables with the columns {', '.join(columns)}",
            found="no file *.parquet in the source's list",
            remedy="name the tables in the source's `files`, then run `./run.sh fetch`",
        )
    require_one_split("the source of the probe", tables, place.path)
    for table in tables:
        name = table.relative_to(place.path).as_posix()
        for number, row in enumerate(read_rows(table, dict.fromkeys(columns))):
            where = f"{name}, row {number}"
            image = place.image(table, "image", number)
            if image is None:
                raise _odd(where, "image", "a picture", "an empty cell")
            yield where, row, image


def column(place: Place, name: str) -> list[object]:
    """Return the cells of a column of all parquet tables of a source, in their order.

    Raises:
        DataError: a table lacks it, or is damaged.
    """
    return [
        row[name]
        for table in place.all_tables()
        for row in read_rows(table, {name: None}, only=True)
    ]


def json_rows(path: Path, fields: Collection[str]) -> Iterator[tuple[str, Row]]:
    """Yield (place in words, object) of a file with a JSON list, or with one object on each line.

    Raises:
        DataError: the file is missing, empty or no JSON, or an item is no object with these fields.
    """
    there = False
    for where, item in _json_items(path):
        there = True
        if not isinstance(item, dict):
            raise _odd(where, "", f"an object with {', '.join(fields)}", cells.kind_of(item))
        if missing := [name for name in fields if name not in item]:
            raise _odd(where, missing[0], f"the fields {', '.join(fields)}", ", ".join(item))
        yield where, item
    if not there:
        raise DataError(
            f"{path} has no questions",
            expected=f"objects with {', '.join(fields)}",
            found=f"an empty list, in {path.stat().st_size} bytes"
            if path.suffix != ".jsonl"
            else f"no line with an object, in {path.stat().st_size} bytes",
            remedy=REMEDY,
        )


def key(row: Row, field: str, where: str) -> str:
    """Return an id in its one form.

    Raises:
        DataError: the field is empty or no id.
    """
    if found := cells.id_of(row[field], where, field):
        return found
    raise _odd(where, field, "an id", "an empty field")


def verdict(row: Row, field: str, where: str) -> str:
    """Return "yes" or "no"; case and a full stop do not count.

    Raises:
        DataError: the field says neither.
    """
    said = cells.text(row[field], where, field).rstrip(".").casefold()
    if said not in VERDICTS:
        raise _odd(where, field, "yes or no", repr(row[field]))
    return said


def picture(root: Path, name: str, where: str, field: str) -> Path:
    """Return the listed, non-empty file of that name below the source's folder.

    Raises:
        DataError: there is none.
    """
    try:
        found = find_listed(name, root / "questions", root)
    except ValueError as error:
        raise _odd(where, field, "the name of a picture of the source", str(error)) from None
    if not found.stat().st_size:
        raise _odd(where, field, "a picture", f"{name}, an empty file")
    return found


def _json_items(path: Path) -> Iterator[tuple[str, object]]:
    try:
        text = decode_text(path.read_bytes())
        if path.suffix != ".jsonl":
            listed = read_json(text)
            if not isinstance(listed, list):
                raise _odd(path.name, "", "a JSON list", cells.kind_of(listed))
            yield from ((f"{path.name}, item {n}", item) for n, item in enumerate(listed))
            return
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield f"{path.name}, line {number}", read_json(line)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read", expected="a listed file", found=error.strerror, remedy=REMEDY
        ) from None
    except NotText as error:
        raise DataError(
            f"{path} is no text", expected=EXPECTED, found=error.found, remedy=REMEDY
        ) from None
    except (ValueError, RecursionError) as error:
        lines = path.suffix != ".jsonl" and str(error).startswith("Extra data")
        raise DataError(
            f"{path} is not JSON",
            expected="one JSON list; a file with an object on each line is named *.jsonl"
            if lines
            else "JSON, with each key once in an object",
            found=str(error)[:200],
            remedy=REMEDY,
        ) from None


def _odd(where: str, field: str, expected: str, found: str) -> DataError:
    place = f"{where}, {field}" if field else where
    return DataError(
        f"{place}: not as published", expected=expected, found=show(found)[:200], remedy=REMEDY
    )
