"""Values that were computed lately, as many as fit into so many bytes."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """A function that keeps its latest values; not by number, because images differ in size."""

    def __init__(self, function: Callable[..., T], size: Callable[[T], int], room: int) -> None:
        self._function, self._size, self._room = function, size, room
        self._kept: OrderedDict[tuple[Hashable, ...], T] = OrderedDict()
        self._held = 0

    def __call__(self, *given: Hashable) -> T:
        """Return `function(*given)`, computed anew only where it is not kept."""
        if given in self._kept:
            self._kept.move_to_end(given)
            return self._kept[given]
        value = self._function(*given)
        self._kept[given] = value
        self._held += self._size(value)
        while self._held > self._room and self._kept:
            _, oldest = self._kept.popitem(last=False)
            self._held -= self._size(oldest)
        return value
