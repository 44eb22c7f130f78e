"""From which file each key of a manifest comes, for errors: a manifest may extend another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Place = tuple[str, ...]
"""A key of a manifest: the names and, of entries of lists, the numbers that lead to it."""


@dataclass(frozen=True, eq=False)
class Origins:
    """Where each key of a manifest was written. Two manifests may be equal and from other files."""

    own: str = ""
    """The file that was named; "" where a manifest is not from a file."""
    written: Mapping[str, Any] = field(default_factory=dict)
    """What that file says, without what it adds to lists."""
    added: Mapping[str, Any] = field(default_factory=dict)
    base: str = ""
    """The file that it extends, if it does."""
    inherited: Mapping[str, Any] = field(default_factory=dict)
    """What that one says."""
    changes: Mapping[Place, str] = field(default_factory=dict)
    """Places that `--set` has changed, and how."""

    def of(self, *place: str) -> str:
        """Return what an error about a key names: the argument of the call, or the file."""
        if change := self._change_of(place):
            return f"{self.own}: {change}"
        return f"{self.base}, which {self.own} extends" if self.inherits(*place) else self.own

    def of_all(self, *places: Sequence[str]) -> str:
        """Return what an error about several keys names."""
        return " and ".join(dict.fromkeys(self.of(*place) for place in places))

    def inherits(self, *place: str) -> bool:
        """Return whether a key has the value that the other file gives it."""
        return bool(self.base) and not self._change_of(place) and not self._is_own(place)

    def _change_of(self, place: Place) -> str:
        """Return the `--set` that has changed a key, a part of it or what holds it; or ""."""
        for changed, change in self.changes.items():
            if changed[: len(place)] == place or place[: len(changed)] == changed:
                return change
        return ""

    def _is_own(self, place: Place) -> bool:
        if _has(self.written, place) or not _has(self.inherited, place[:1]):
            return True
        inherited: Any = self.inherited
        added: Any = self.added
        for part in place:
            if isinstance(inherited, list):  # behind what is inherited stands what was added
                return part.isdigit() and int(part) >= len(inherited)
            inherited = inherited.get(part, []) if isinstance(inherited, Mapping) else []
            added = added.get(part) if isinstance(added, Mapping) else None
            if added is None:
                return False
        return False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Origins)

    def __hash__(self) -> int:
        return 0


def _has(document: Any, place: Sequence[str]) -> bool:
    """Return whether a file writes a key, or a list that holds it."""
    for part in place:
        if not isinstance(document, Mapping):
            return True  # a list or a value is written as a whole
        if part not in document:
            return False
        document = document[part]
    return True
