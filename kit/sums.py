"""Sums that are the same in every version of Python."""

import functools
import operator
from collections.abc import Iterable


def add_up(values: Iterable[float]) -> float:
    """Return the sum of numbers, added from left to right and rounded after each; 0 of none.

    Since Python 3.12, `sum` makes up for the rounding. Numbers that are signed and recomputed may
    not depend on the version.
    """
    return functools.reduce(operator.add, values, 0)
