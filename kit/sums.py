"""Sums that are the same in every version of Python."""

import functools
import operator
from collections.abc import Iterable
from typing import TypeVar

Number = TypeVar("Number", int, float)


def add_up(values: Iterable[Number]) -> Number:
    """Return the sum of at least one number, added from left to right and rounded after each.

    Since Python 3.12, `sum` makes up for the rounding. Numbers that are signed and recomputed may
    not depend on the version.

    Raises:
        TypeError: there is no number.
    """
    return functools.reduce(operator.add, values)
