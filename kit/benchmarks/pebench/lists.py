"""A cell that holds a list: JSON, what pandas makes of a list, or texts between separators."""

import ast
import math
import re
from collections.abc import Mapping

from kit.benchmarks.literals import DoubledKey, read_json, require_keys_once
from kit.errors import DataError

KEY, VALUE = "key", "value"  # of an entry of an object, as `[benchmark.columns]` names them
EMPTY = frozenset({"nan", "NaN", "null", "NaT"})
SEPARATORS = ("\n", "|", ";")
# numpy writes lists without commas, and Python joins texts that stand beside each other.
JOINED = re.compile(r"""(['"])\s+(['"])""")


def list_of(cell: str, where: str) -> list[object]:
    """Return the items of a cell.

    An object `{"night market": "a woman ..."}` is a list of its entries, `key` and `value`; if its
    values are objects, of those with their `key`. An object of lists of one length is the list of
    what they hold at each place.

    Args:
        where: file and line, for errors.

    Raises:
        DataError: it begins like a list or an object, but is none.
    """
    text = cell.strip()
    if not text.startswith(("[", "{", "(")):
        separator = next((each for each in SEPARATORS if each in text), SEPARATORS[-1])
        return [part.strip() for part in text.split(separator) if part.strip()]
    found = _parsed(text, where)
    if isinstance(found, Mapping):
        return _entries(found)
    return list(found)


def item_value(item: object, path: tuple[str, ...], where: str) -> str:
    """Return the text at a path of an item, or "" where there is none.

    Raises:
        DataError: it is a list, an object or an infinite number.
    """
    for name in path:
        item = item.get(name) if isinstance(item, Mapping) else None
    if item is None or item != item:  # NaN is an empty cell
        return ""
    if isinstance(item, str):
        return item
    if isinstance(item, int | float) and not isinstance(item, bool) and math.isfinite(item):
        return str(item)
    raise DataError(
        f"{where}: an item of the list is no text",
        expected=f"a text at {'.'.join(path) or 'each item'}",
        found=repr(item)[:120],
        remedy="name the part of it that holds the text in [benchmark.columns], as in "
        '"events[].description"',
    )


def _entries(found: Mapping[object, object]) -> list[object]:
    values = list(found.values())
    lists = [value for value in values if isinstance(value, list | tuple)]
    if values and len(lists) == len(values) and len({len(each) for each in lists}) == 1:
        return [
            dict(zip(map(str, found), items, strict=True)) for items in zip(*lists, strict=True)
        ]
    return [
        {KEY: str(key), **value} if isinstance(value, Mapping) else {KEY: str(key), VALUE: value}
        for key, value in found.items()
    ]


class _Empty(ast.NodeTransformer):
    """Names that stand for an empty cell become None."""

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.copy_location(ast.Constant(None), node) if node.id in EMPTY else node


def _literal(text: str) -> object:
    """Return what Python writes, with `nan` as pandas writes it and `null` as JSON does."""
    try:
        tree = _Empty().visit(ast.parse(text, mode="eval"))
        require_keys_once(tree)
        return ast.literal_eval(tree)
    except DoubledKey:
        raise
    except ValueError:  # its message names an object in memory
        raise ValueError("something else than texts, numbers and lists") from None


def _parsed(text: str, where: str) -> Mapping[object, object] | list[object] | tuple[object, ...]:
    reason: Exception | str = "texts without a comma between them"
    try:
        try:
            found = read_json(text)
        except DoubledKey:
            raise
        except (ValueError, RecursionError):
            found = None if JOINED.search(text) else _literal(text)
    except DoubledKey as error:
        raise DataError(
            f"{where}: a cell has a key twice",
            expected="each key once in an object: nothing says which of two values is meant",
            found=f"{error}: {text[:80]!r}",
            remedy="remove one of the two from the cell",
        ) from None
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        found, reason = None, error
    if isinstance(found, Mapping | list | tuple):
        return found
    raise DataError(
        f"{where}: a cell that is no list",
        expected="JSON, or a list as Python writes it",
        found=f"{text[:80]!r} ({reason})",
        remedy='correct the cell: ["a", "b"]; texts between semicolons need no brackets',
    )
