"""The CSV files of a report: do their cells follow, and are they written as the kit does?"""

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator
from itertools import zip_longest

from kit.names import show
from kit.report.csv_cells import csv_cell
from kit.result.stored_values import same_words

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?")
_ABSENT_CELL = "absent ("


def csv_faults(stored: bytes, made: bytes, *, raw: bool) -> Iterator[str]:
    """Yield where a file differs; `raw`: its texts may be as they were, formulas included."""
    try:
        held, right = ([*csv.reader(io.StringIO(d.decode(), newline=""))] for d in (stored, made))
    except (csv.Error, UnicodeDecodeError) as error:
        yield f"it cannot be read as CSV: {show(str(error))}"
        return
    head = right[0] if right else []
    if held[:1] != right[:1]:
        yield f"line 1 is {show(repr(held[:1])[:100])}, not the names of the columns"
        return
    for number, (left, follows) in enumerate(zip_longest(held, right), 1):
        if left is None or follows is None or len(left) != len(follows):
            yield f"line {number} is missing, or is too much, or has other columns"
            return
        for column, cell, computed in zip(head, left, follows, strict=True):
            if not same_cell(column, cell, computed, raw=raw):
                said = show(f"line {number}, {column} is {cell[:100]!r}")
                yield f"{said}, recomputed {show(repr(computed[:100]))}"
    if _as_csv(held) != stored:
        # Readers differ in what they make of other quotes and line ends.
        yield (
            f"{len(held)} lines, recomputed {len(right)}: its quotes or line ends are not those "
            "that the kit writes"
        )


def _as_csv(lines: Iterable[Iterable[str]]) -> bytes:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(lines)
    return stream.getvalue().encode()


def same_cell(column: str, stored: str, computed: str, *, raw: bool) -> bool:
    if computed == stored or (raw and computed == csv_cell(stored)):
        return True
    if column == "reason" or (
        stored.startswith(_ABSENT_CELL) and computed.startswith(_ABSENT_CELL)
    ):
        return stored == csv_cell(stored) and same_words(stored, computed)
    if not _NUMBER.fullmatch(stored) or not _NUMBER.fullmatch(computed):
        return False
    return math.isfinite(float(computed)) and float(stored) == float(computed)
