"""Least-recently-used caches of a function's values, bounded in bytes."""

from array import array
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")
# For 139,000 texts of 60 tokens: PEBench has 8,000 images and several questions about each. All
# systems are asked the same in the same order, so a cache with room for fewer has always just
# dropped what comes next.
TOKENS_BYTES = 64 << 20
ENTRY_BYTES = 240  # of an entry beside its tokens: key, array and their places; 214 were measured


class ByteBoundedCache(Generic[T]):
    """Keeps the values of a function that were used last, as many as fit into `capacity` bytes.

    Args:
        size: the bytes that a value takes.
    """

    def __init__(self, function: Callable[..., T], size: Callable[[T], int], capacity: int) -> None:
        self._function, self._size, self._capacity = function, size, capacity
        self._kept: OrderedDict[tuple[Hashable, ...], T] = OrderedDict()
        self._used = 0

    def __call__(self, *arguments: Hashable) -> T:
        """Return `function(*arguments)`; it is called only where the value is not kept."""
        if arguments in self._kept:
            self._kept.move_to_end(arguments)
            return self._kept[arguments]
        value = self._function(*arguments)
        self._kept[arguments] = value
        self._used += self._size(value)
        while self._used > self._capacity and self._kept:
            _, oldest = self._kept.popitem(last=False)
            self._used -= self._size(oldest)
        return value


class TokenCache:
    """Keeps the tokens that a function makes of texts, in 4 bytes each.

    Args:
        function: from texts, and whether an image is shown with them, to tokens.
        capacity: bytes; the texts are not counted, because records hold them.
    """

    def __init__(self, function: Callable[..., list[int]], capacity: int = TOKENS_BYTES) -> None:
        def made(*key: Hashable) -> "array[int]":
            *texts, with_image = key
            return array("i", function(*texts, with_image=with_image))

        self._kept = ByteBoundedCache(made, _bytes_of, capacity)

    def __call__(self, *texts: str, with_image: bool) -> list[int]:
        """Return the tokens, a new list at every call."""
        return self._kept(*texts, with_image).tolist()


def _bytes_of(tokens: "array[int]") -> int:
    return ENTRY_BYTES + tokens.itemsize * len(tokens)
