"""JSON from an untrusted file: one meaning or none.

Python's reader keeps the last of two equal keys and takes NaN; two readers of one signed file
could so see two contents. Here size, nesting, doubled keys and non-finite numbers are refused.
"""

import json
import math
import re
from itertools import accumulate

from kit.digests import canonical_json

MAX_BYTES = 16 << 20
MAX_NESTING = 32
# Each takes some 100 bytes of memory for 2 of text; a result of 2,000 systems has about 10,000.
MAX_CONTAINERS = 200_000
MAX_VALUES = 500_000  # the report of 191 systems has some 15,000

# Possessive, and content with a string that never ends: linear time on any input.
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NOT_BRACKET = re.compile(r"[^\[\]{}]+")


def parse_json(data: bytes, *, max_bytes: int = MAX_BYTES) -> object:
    """Return the value of a UTF-8 JSON text.

    Raises:
        ValueError: it is malformed, too large, nested deeper than 32, has more than 200,000
            objects and lists or 500,000 values, a key twice in one object, a number that is not
            finite, or text that is not Unicode.
    """
    if len(data) > max_bytes:
        raise ValueError(f"larger than {max_bytes} bytes")
    text = data.decode("utf-8")
    marks = _STRING.sub("", text)
    brackets = _NOT_BRACKET.sub("", marks)
    depth = max(accumulate(1 if bracket in "[{" else -1 for bracket in brackets), default=0)
    if depth > MAX_NESTING:
        raise ValueError(f"nested {depth} deep, more than {MAX_NESTING}")
    if len(brackets) > 2 * MAX_CONTAINERS:
        raise ValueError(f"more than {MAX_CONTAINERS} objects and lists")
    if marks.count(",") > MAX_VALUES:
        raise ValueError(f"more than {MAX_VALUES} values")
    value = json.loads(
        text,
        object_pairs_hook=_unique,
        parse_float=_finite,
        parse_constant=_finite,
    )
    # Escapes can spell half a surrogate pair, which no encoder writes: refuse it here, not later.
    canonical_json(value)
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"key {key!r} occurs twice in one object")
            seen.add(key)
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number
