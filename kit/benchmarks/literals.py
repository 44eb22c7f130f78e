"""Nested values that are written as text: JSON, and what Python writes. Each key occurs once.

Everything of a dataset that is JSON is read here. Python's readers keep the last of two equal keys,
other readers keep the first: one file would be two data sets.
"""

import ast
import json
import math


class DoubledKey(ValueError):
    """A key occurs twice in one object: two readers could see two values."""


def read_json(text: str) -> object:
    """Return the value of a JSON text. NaN is None: the writers of tables mean an empty cell.

    Fractions keep their text, so that 1.80 does not become 1.8.

    Raises:
        DoubledKey: a key occurs twice in one object.
        ValueError, RecursionError: it is not JSON, or nested too deeply.
    """
    value: object = json.loads(
        text, object_pairs_hook=_unique, parse_constant=_constant, parse_float=_fraction
    )
    return value


def require_keys_once(tree: ast.AST) -> None:
    """Check the mappings of a Python literal, at every depth.

    Raises:
        DoubledKey: a key occurs twice in one of them.
        ValueError: a key is no literal.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            _require_once([ast.literal_eval(key) for key in node.keys if key is not None])


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        _require_once([name for name, _ in pairs])
    return found


def _require_once(keys: list[object]) -> None:
    for number, key in enumerate(keys):
        if key in keys[:number]:
            raise DoubledKey(f"{key!r} twice in one object")


def _constant(name: str) -> float | None:
    return None if name == "NaN" else float(name)


def _fraction(literal: str) -> float | str:
    return literal if math.isfinite(float(literal)) else float(literal)
