"""Nested cells of UMU-Bench: texts that hold a Python literal, `{'question': {'Job': '...'}}`.

The released code reads them with `ast.literal_eval`. JSON text of objects and texts reads the same.
"""

import ast

from kit.benchmarks.cells import is_missing, nested
from kit.benchmarks.left_out import OddCell


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
            if twice := _doubled_key(tree):
                expected = "each key once"
                raise OddCell(where, field, "has a key twice", expected=expected, found=twice)
            found = ast.literal_eval(tree)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            expected = "a struct, or the text of one as a Python literal"
            problem = "is no Python literal"
            raise OddCell(where, field, problem, expected=expected, found=value) from None
    cell = nested(found, dict, where, field)
    if not all(isinstance(key, str) for key in cell):
        problem = "has a key that is no text"
        raise OddCell(where, field, problem, expected="texts as keys", found=sorted(map(str, cell)))
    return cell


def _doubled_key(tree: ast.AST) -> str:
    """Return a key that occurs twice in one literal; two readers could see two values."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            keys = [each.value for each in node.keys if isinstance(each, ast.Constant)]
            for key in keys:
                if keys.count(key) > 1:
                    return repr(key)
    return ""
