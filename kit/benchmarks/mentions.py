"""Does a text describe another person than its row? Then texts and rows were shifted.

A text that names one of the data's people, and not the person of its row, belongs to another row.
Names of one word are left out: they could be any word.
"""

from collections.abc import Iterable

from kit.benchmarks.identity import identity
from kit.benchmarks.words import words

OF_ANOTHER = "it names another person, and not its own"


class People:
    """The people of some data by the words of their names."""

    def __init__(self, names: Iterable[str]) -> None:
        self._keys = {words(name): identity(name) for name in names if len(words(name)) > 1}
        self._lengths = sorted({len(name) for name in self._keys})

    def named_in(self, texts: Iterable[str]) -> set[str]:
        """Return the identities of the people whose whole names are in the texts."""
        found = set()
        for text in texts:
            said = words(text)
            for length in self._lengths:
                places = range(len(said) - length + 1)
                found |= {self._keys.get(said[place : place + length]) for place in places}
        return {key for key in found if key is not None}

    def is_about_another(self, texts: Iterable[str], person: str) -> bool:
        """Say whether texts name one of these people, but not the person of their row."""
        found = self.named_in(texts)
        return bool(found) and bool(person) and identity(person) not in found
