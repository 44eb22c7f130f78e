"""Random draws as a function of names, never of history: workers and resume change nothing."""

import random
from collections.abc import Sequence
from typing import TypeVar

from kit.digests import sha256_value

T = TypeVar("T")


def stream(*names: str | int) -> random.Random:
    """Return the generator that belongs to `names`, the same on every machine."""
    return random.Random(int(sha256_value(list(names))[:16], 16))


def seed_of(*names: str | int) -> int:
    """Return a 31-bit seed that belongs to `names`, for libraries that want one."""
    return int(sha256_value(list(names))[:8], 16) & 0x7FFFFFFF


def shuffled(values: Sequence[T], *names: str | int) -> list[T]:
    """Return a permutation of `values` drawn from the stream of `names`."""
    return sample(values, len(values), *names)


def sample(values: Sequence[T], count: int, *names: str | int) -> list[T]:
    """Return `count` distinct values drawn from the stream of `names`."""
    return stream(*names).sample(list(values), count)
