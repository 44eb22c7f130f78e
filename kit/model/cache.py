"""A least-recently-used cache of a function's values, bounded in bytes."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


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
