"""The labels of methods: what tables print for them, and why a label would mislead a reader."""

import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kit.names import show

BOUNDS = {"Vanilla": "the vanilla model", "Retain-only": "the retain-only model"}
# Letters that print as nothing or as a blank, though Unicode calls them letters or symbols.
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5")
_SELECTORS = range(0xFE00, 0xFE10)  # of the form of the letter before
MAX_MARKS = 2  # accents on one letter; more grow over other lines


class Entry(NamedTuple):
    """A method of a manifest, as its table knows it."""

    name: str
    label: str
    targets: tuple[str, ...]


def label_fault(label: str) -> str:
    """Return why a reader would see another label than is written, or "" if none would."""
    if not label.strip():
        return "empty"
    if label != label.strip():
        return "written with a blank at one end"
    if show(label) != label or any(c in _BLANK or ord(c) in _SELECTORS for c in label):
        return "written with a character that is not seen"
    marks = 0
    for letter in unicodedata.normalize("NFC", label):
        marks = marks + 1 if unicodedata.combining(letter) else 0
        if marks > MAX_MARKS:
            return f"written with more than {MAX_MARKS} accents on a letter"
    return ""


def label_faults(entries: Iterable[Entry]) -> Iterator[tuple[int, str, str]]:
    """Yield (number of a method, its target, what its label is) of labels that mislead.

    Two rows of one table with labels that read alike do so as well.
    """
    seen: dict[str, dict[str, str]] = {}
    for number, entry in enumerate(entries):
        for target in entry.targets:
            fault = label_fault(entry.label)
            shown = unicodedata.normalize("NFKC", entry.label).casefold().strip()
            known = seen.setdefault(target, {k.casefold(): v for k, v in BOUNDS.items()})
            other = known.setdefault(shown, f"method '{entry.name}'")
            if not fault and other != f"method '{entry.name}'":
                fault = f"that of {other}"
            if fault:
                yield number, target, fault
