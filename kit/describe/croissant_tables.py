"""The columns of CSV and parquet tables as Croissant fields."""

import csv
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from kit.errors import DataError

TABLES = (".csv", ".parquet")


def fields(table: Path, key: str) -> list[dict[str, object]]:
    """Return a field for each column of a table; `key` is the id of the table's FileObject.

    Columns of nested values other than images are left out: Croissant has no data type for them.

    Raises:
        DataError: the table cannot be read.
    """
    try:
        columns = list(_csv(table) if table.suffix == ".csv" else _parquet(table))
    except (pa.ArrowException, OSError, ValueError, csv.Error) as error:
        raise DataError(
            f"{table} cannot be read",
            expected="a table in CSV or parquet",
            found=str(error)[:200],
            remedy="run `./run.sh fetch MANIFEST`: it restores the file, or says what is wrong",
        ) from None
    return [
        {
            "@type": "cr:Field",
            "@id": f"{key}#rows/{quote(column, safe='')}",
            "name": column,
            **kind,
            "source": {"fileObject": {"@id": key}, "extract": {"column": column}, **way},
        }
        for column, kind, way in columns
    ]


def _csv(table: Path) -> Iterator[tuple[str, dict[str, object], dict[str, object]]]:
    with table.open(encoding="utf-8-sig", newline="") as stream:
        for column in next(csv.reader(stream), []):
            yield column, {"dataType": "sc:Text"}, {}


def _parquet(table: Path) -> Iterator[tuple[str, dict[str, object], dict[str, object]]]:
    """Yield each column, its data type and, for packed values, the transform that unpacks them."""
    for field in pq.read_schema(table):
        listed = pa.types.is_list(field.type) or pa.types.is_large_list(field.type)
        kind = field.type.value_type if listed else field.type
        many = {"isArray": True, "arrayShape": "-1"} if listed else {}
        name = _data_type(kind)
        if name:
            way: dict[str, object] = {}
            if name == "sc:ImageObject":
                way["transform"] = {"jsonPath": "bytes"}
            yield field.name, {"dataType": name, **many}, way


def _data_type(kind: pa.DataType) -> str:
    """Return schema.org's name of a type, "" if it has none."""
    if pa.types.is_struct(kind) and {field.name for field in kind} == {"bytes", "path"}:
        return "sc:ImageObject"  # the hub's format of images
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    if pa.types.is_floating(kind):
        return "sc:Float"
    return "sc:Text" if pa.types.is_string(kind) or pa.types.is_large_string(kind) else ""
