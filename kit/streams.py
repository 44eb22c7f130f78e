"""Random draws that depend on names alone: neither other draws nor a resumed run change them."""

import random
from collections.abc import Sequence
from typing import TypeVar

from kit.digests import sha256_value

T = TypeVar("T")


def stream(*names: str | int) -> random.Random:
    """Return the random generator of `names`; it is the same on every machine."""
    return random.Random(int(sha256_value(list(names))[:16], 16))


def seed_of(*names: str | int) -> int:
    """Return the 31-bit seed of `names`, for libraries that need a seed."""
    return int(sha256_value(list(names))[:8], 16) & 0x7FFFFFFF


def shuffled(values: Sequence[T], *names: str | int) -> list[T]:
    """Return a permutation of `values`, drawn from the stream of `names`."""
    return sample(values, len(values), *names)


def sample(values: Sequence[T], count: int, *names: str | int) -> list[T]:
    """Return `count` values without replacement, drawn from the stream of `names`."""
    return stream(*names).sample(list(values), count)
