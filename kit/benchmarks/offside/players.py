"""Which player an image shows: no field says it.

The README numbers the images: of five in a row, the first three of a player are in the retain set,
the fourth in the forget set, and the fifth (0 modulo 5) is for relearning. Where the numbers in the
names of files follow that rule, they tell the players. Otherwise the answers to the question about
the name do, and every kept image must then show a player of the forget set.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from kit.benchmarks.identity import identity
from kit.benchmarks.left_out import REMEDY
from kit.benchmarks.offside.entries import Entry
from kit.errors import DataError

IN_A_ROW = 5
PLACES = {"forget": {4}, "retain": {1, 2, 3}, "test": {1, 2, 3}}
MAX_SHOWN = 3


def players_of(sets: Mapping[str, Sequence[Entry]]) -> dict[str, str]:
    """Return {image: player} of the images of all sets.

    Args:
        sets: entries with free answers, by the name of their set.

    Raises:
        DataError: neither numbers nor names tell who is shown.
    """
    images = {name: {entry.image for entry in entries} for name, entries in sets.items()}
    numbers = {each: _number(each) for found in images.values() for each in found}
    if all(
        numbers[image] % IN_A_ROW in PLACES[name] for name, each in images.items() for image in each
    ):
        return {image: f"player {(n - 1) // IN_A_ROW + 1:03}" for image, n in numbers.items()}
    named = {
        entry.image: entry.answer
        for entries in sets.values()
        for entry in entries
        if entry.fact == "name"
    }
    known = {identity(named[image]) for image in images["forget"] if image in named}
    unknown = sorted(image for image in numbers if identity(named.get(image, "")) not in known)
    if unknown:
        raise DataError(
            "OFFSIDE: the players in some images cannot be told",
            expected="file names with the README's numbers, or equal answers about the name in "
            "the forget set and in the others",
            found=f"{len(unknown)}: {', '.join(_shown(unknown, named))}",
            remedy=REMEDY,
        )
    return {image: named[image] for image in numbers}


def _number(image: str) -> int:
    found = re.search(r"\d{1,9}", PurePosixPath(image).name)
    return int(found[0]) if found else 0


def _shown(images: Sequence[str], named: Mapping[str, str]) -> Iterable[str]:
    return (f"{image} ({named.get(image, 'without a name')})" for image in images[:MAX_SHOWN])
