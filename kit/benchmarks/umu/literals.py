"""Nested cells of UMU-Bench: texts that hold a Python literal, `{'question': {'Job': '...'}}`.

The released code reads them with `ast.literal_eval`. JSON text of objects and texts reads the same.
"""

import ast

from kit.benchmarks.cells import is_missing, nested
from kit.benchmarks.left_out import OddCell
from kit.benchmarks.literals import DoubledKey, require_keys_once


def literal(value: object, where: str, field: str) -> dict[str, object]:
    """Return a nested cell with texts as keys; {} if the cell is empty.

    Args:
        value: a struct, or the text of a Python literal.

    Raises:
        OddCell: it is neither, a key occurs twice in it, or a key is no text.
    """
    found = value
    if isinstance(value, str) and not is_missing(value):
        try:
            tree = ast.parse(value.strip(), mode="eval")
            require_keys_once(tree)
            found = ast.literal_eval(tree)
        except DoubledKey as error:
            raise OddCell(
                where, field, "has a key twice", expected="each key once", found=str(error)
            ) from None
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            expected = "a struct, or the text of one as a Python literal"
            problem = "is no Python literal"
            raise OddCell(where, field, problem, expected=expected, found=value) from None
    cell = nested(found, dict, where, field)
    if not all(isinstance(key, str) for key in cell):
        problem = "has a key that is no text"
        raise OddCell(where, field, problem, expected="texts as keys", found=sorted(map(str, cell)))
    return cell
