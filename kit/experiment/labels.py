"""The labels of methods: what tables print for them, and why a label would mislead a reader."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kit.experiment.plain_texts import skeleton, text_fault

BOUNDS = {"Vanilla": "the vanilla model", "Retain-only": "the retain-only model"}


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
    return text_fault(label)


def label_faults(entries: Iterable[Entry], kind: str = "method") -> Iterator[tuple[int, str, str]]:
    """Yield (number of a method, its target, what its label is) of labels that mislead.

    Two rows of one table with labels that read alike do so as well. `kind` is what has them.
    """
    seen: dict[str, dict[str, str]] = {}
    for number, entry in enumerate(entries):
        for target in entry.targets:
            fault = label_fault(entry.label)
            shown = skeleton(entry.label)
            known = seen.setdefault(target, {skeleton(k): v for k, v in BOUNDS.items()})
            other = known.setdefault(shown, f"{kind} '{entry.name}'")
            if not fault and other != f"{kind} '{entry.name}'":
                fault = f"that of {other}"
            if fault:
                yield number, target, fault
