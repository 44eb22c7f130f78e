"""Columns of a table that hold pictures: their forms, and what a cell says.

Published tables hold pictures as the hub's Image feature, a struct {bytes, path}. Tables that other
programs wrote have the bytes alone, or the path of a file beside the table. All of them may be in
lists. A column of another type is refused by its type: it is not empty.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

import pyarrow as pa

from kit.errors import DataError

COLUMNS = ("image", "images")  # the names that loaders ask for
FORMS = "a struct {bytes, path}, the bytes of a picture, a path of a listed file, or a list of them"


def holds_pictures(field: pa.Field) -> bool:
    """Say whether a column is an image column in one of the forms that the kit reads."""
    return field.name in COLUMNS and _has_form(_item_type(field.type))


def is_image_feature(kind: pa.DataType) -> bool:
    """Say whether a type is the hub's struct {bytes, path}, or a list of them."""
    item = _item_type(kind)
    return pa.types.is_struct(item) and {f.name for f in item} == {"bytes", "path"}


def require_pictures(schema: pa.Schema, column: str, where: str) -> None:
    """Refuse a column whose cells look empty because the kit cannot read their type.

    Raises:
        DataError: the column exists and has another form.
    """
    if column not in schema.names:
        return
    field = schema.field(column)
    if not (pa.types.is_null(_item_type(field.type)) or holds_pictures(field)):
        raise DataError(
            f"{where}, column '{column}' holds no pictures in a form that the kit reads",
            expected=FORMS,
            found=f"cells of the type {field.type}",
            remedy="write the column in one of these forms, then list the new file",
        )


def pictures_in(cell: object) -> Iterator[tuple[int, bytes | str]]:
    """Yield (item, bytes or path) of the pictures in a cell; empty items are left out."""
    for item, given in enumerate(cell if isinstance(cell, list) else [cell]):
        found = given
        if isinstance(given, dict):
            # The hub writes an empty cell as null, or as a struct of nulls.
            found = given.get("path") if given.get("bytes") is None else given["bytes"]
        if isinstance(found, bytes) or (isinstance(found, str) and found):
            yield item, found


def find_listed(text: str, table: Path, root: Path) -> Path:
    """Return the listed file that a cell names: relative to the table's folder, or to the source.

    Args:
        text: the cell.
        table: the table, below `root`.
        root: the folder of the source, which holds its listed files alone.

    Raises:
        ValueError: the text names no listed file, or two different ones; it says which.
    """
    shown = repr(text if len(text) <= 100 else f"{text[:97]}...")
    found = [path for start in (table.parent, root) if (path := _inside(start, text, root))]
    if not found:
        raise ValueError(f"the text {shown}, which is no file that the source's list names")
    if len({path.read_bytes() for path in found}) > 1:
        names = " and ".join(path.relative_to(root).as_posix() for path in found)
        raise ValueError(f"the text {shown}, which is two listed files: {names}")
    return found[0]


def _inside(start: Path, text: str, root: Path) -> Path | None:
    if "://" in text or text.startswith("data:") or "\0" in text:
        return None
    for name in (PurePosixPath(text), PurePosixPath(PureWindowsPath(text).as_posix())):
        path = start / name
        if ".." in name.parts or name.is_absolute() or not path.is_relative_to(root):
            continue
        try:
            if path.is_file():
                return path
        except OSError:  # longer than a file name may be
            continue
    return None


def _item_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of the items of a list, or the type itself; encodings do not count."""
    if isinstance(kind, pa.BaseExtensionType):
        return _item_type(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return _item_type(kind.value_type)
    lists: Sequence[object] = (
        pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list,
        pa.types.is_list_view, pa.types.is_large_list_view,
    )  # fmt: skip
    if any(is_kind(kind) for is_kind in lists if callable(is_kind)):
        item = kind.value_type
        # A list of lists is an array of numbers, not a list of pictures.
        return item if pa.types.is_nested(item) and not pa.types.is_struct(item) else _plain(item)
    return kind


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _has_form(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        types = {field.name: _plain(field.type) for field in kind}
        bytes_, path = types.get("bytes"), types.get("path")
        return (bytes_ is not None or path is not None) and all(
            each is None or pa.types.is_null(each) or _is(each)
            for each, _is in ((bytes_, _is_bytes), (path, _is_text))
        )
    return _is_bytes(kind) or _is_text(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )
