"""The committed list of the people and events to forget at 1, 5, 10 and 15 %.

PEBench publishes no such list. `manifests/splits/pebench.json` is the kit's own draw. To draw it:

    python -c "from kit.benchmarks.pebench.ids import write_ids; write_ids()"

People are numbers: positions in the sorted folder names, which were unknown when the list was
drawn. Smaller shares are subsets of larger ones. Near-duplicate events are forgotten together or
kept together: those of similar names (dinner with friends, restaurant dining), and those that share
at least `SHARED_KEYWORDS` of their ten published keywords (public lecture, school presentation).
Otherwise the retain set would teach what is to be forgotten.
"""

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TypedDict, cast

from kit.artifacts import PROJECT, restored, write_bytes
from kit.benchmarks.identity import identity
from kit.benchmarks.literals import read_json
from kit.benchmarks.pebench.events import plain, published
from kit.benchmarks.pebench.table import Picture
from kit.errors import DataError, KitError, ManifestError
from kit.streams import shuffled
from kit.texts import decode_text

IDS = PROJECT / "manifests" / "splits" / "pebench.json"
SEED = 1
SHARED_KEYWORDS = (
    4  # of ten: so many words of a forgotten description would be taught by a kept one
)
PEOPLE = 200
COUNTS_BY_PERCENT = {1: (2, 1), 5: (10, 2), 10: (20, 4), 15: (30, 6)}  # people, and events of 40
ABOUT = (
    "The kit's own split of PEBench (arXiv 2503.12545), which publishes none. People are positions "
    "in the sorted names of their folders, from 0. Made by kit/benchmarks/pebench/ids.py."
)
OTHERWISE = "or remove split.ids to draw the split by seed"


@dataclass(frozen=True)
class Forgotten:
    """The names of the people and events to be forgotten, and notes for the reader."""

    people: frozenset[str]
    events: frozenset[str]
    notes: tuple[str, ...] = ()


class Share(TypedDict):
    """What is forgotten at one percentage: positions of people, names of events.

    `near_duplicates` are the groups of events that are forgotten together.
    """

    people: list[int]
    events: list[str]
    near_duplicates: list[list[str]]


class Ids(TypedDict):
    """The list as JSON; `percent` maps a percentage, as text, to its share."""

    about: str
    seed: int
    people: int
    near_duplicates: list[list[str]]
    percent: dict[str, Share]


def draw_ids(seed: int = SEED) -> Ids:
    """Draw the list; equal seeds give equal lists on every machine."""
    people = shuffled(range(PEOPLE), "forget people", seed)
    names, whole = sorted(published()["keywords"]), near_duplicates()
    grouped = {name for group in whole for name in group}
    units = [*whole, *((name,) for name in names if name not in grouped)]
    order = shuffled(sorted(units), "forget events", seed)
    chosen: list[tuple[str, ...]] = []
    percent: dict[str, Share] = {}
    for share, (many, events) in COUNTS_BY_PERCENT.items():
        for unit in order:
            if unit not in chosen and len(unit) <= events - sum(map(len, chosen)):
                chosen.append(unit)
        percent[str(share)] = {
            "people": sorted(people[:many]),
            "events": sorted(name for unit in chosen for name in unit),
            "near_duplicates": sorted(list(unit) for unit in chosen if len(unit) > 1),
        }
    kept_together = sorted(sorted(unit) for unit in whole)
    return {
        "about": ABOUT,
        "seed": seed,
        "people": PEOPLE,
        "near_duplicates": kept_together,
        "percent": percent,
    }


def near_duplicates() -> list[tuple[str, ...]]:
    """Return the groups of events that are forgotten together or kept together, sorted.

    Two events are near-duplicates if a published group names both, or if they share at least
    `SHARED_KEYWORDS` keywords. Groups with an event in common are one group.
    """
    keywords = {
        name: {identity(word) for word in words} for name, words in published()["keywords"].items()
    }
    pairs = [
        {first, second}
        for first, second in combinations(sorted(keywords), 2)
        if len(keywords[first] & keywords[second]) >= SHARED_KEYWORDS
    ]
    groups: list[set[str]] = []
    for found in [*(set(group["events"]) for group in published()["near_duplicates"]), *pairs]:
        joined = [group for group in groups if group & found]
        groups = [group for group in groups if not group & found]
        groups.append(found.union(*joined))
    return sorted(tuple(sorted(group)) for group in groups)


def write_ids(path: Path = IDS, seed: int = SEED) -> None:
    """Write the list that `draw_ids` draws."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(draw_ids(seed), indent=1, ensure_ascii=False)
    write_bytes(path, (text + "\n").encode())


def read_ids(path: Path, percent: int, pictures: Sequence[Picture]) -> Forgotten:
    """Return the people and events of a list, by their names in the data.

    Raises:
        ManifestError: the list is missing or malformed, lacks this percentage, or does not fit
            the data: another number of people, an index out of range, an unknown event.
        DataError: a person has several folders, or a folder several people.
    """
    document = _read(path)
    shares = document["percent"]
    if str(percent) not in shares:
        raise _unfit(path, "forget_percent is not listed", f"one of {', '.join(shares)}", percent)
    folders = _people_of_folders(pictures)
    if len(folders) != document["people"]:
        listed = f"{document['people']} people, as the list was drawn for"
        raise _unfit(path, "the data has another number of people", listed, len(folders))
    share = shares[str(percent)]
    people, events = share["people"], {plain(each.event): each.event for each in pictures}
    order = sorted(folders)
    if outside := [i for i in people if type(i) is not int or not 0 <= i < len(order)]:
        raise _unfit(path, "an index is out of range", f"0 to {len(order) - 1}", outside[0])
    if unknown := [name for name in share["events"] if plain(str(name)) not in events]:
        near = difflib.get_close_matches(plain(str(unknown[0])), events, n=1)
        expected = f"one such as '{events[near[0]]}'" if near else ", ".join(events.values())
        raise _unfit(path, "an event is not in the data", expected, unknown[0])
    chosen = {plain(name) for name in share["events"]}
    sizes = ((len(set(people)), len(order)), (len(chosen), len(events)))
    if any(not 0 < forgotten < total for forgotten, total in sizes):
        several = ", ".join(f"{forgotten} of {total}" for forgotten, total in sizes)
        raise _unfit(path, "it forgets nothing or keeps nothing", "some of each", several)
    notes = tuple(
        f"near-duplicate events forgotten together: {', '.join(group)}"
        for group in share.get("near_duplicates", ())
    )
    return Forgotten(
        frozenset(folders[order[index]] for index in people),
        frozenset(events[name] for name in chosen),
        notes,
    )


def _people_of_folders(pictures: Sequence[Picture]) -> dict[str, str]:
    """Return {folder: person}; a folder in two spellings is one, by its first in sorted order."""
    pairs: dict[tuple[str, str], tuple[str, str]] = {}
    for folder, person in sorted({(picture.folder, picture.person) for picture in pictures}):
        pairs.setdefault((identity(folder), identity(person)), (folder, person))
    for values in zip(*pairs, strict=True):
        if doubled := sorted({value for value in values if values.count(value) > 1}):
            found = [f"{f}: {p}" for key, (f, p) in pairs.items() if doubled[0] in key]
            raise DataError(
                f"people and folders do not match: {found[0]}",
                expected="one folder per person: the list counts the folders",
                found="; ".join(found)[:200],
                remedy="correct the table, or remove split.ids",
            )
    return dict(pairs.values())


def _read(path: Path) -> Ids:
    try:
        document = read_json(decode_text(path.read_bytes()))
    except (OSError, ValueError, RecursionError) as error:
        raise _unfit(path, "it cannot be read", "a JSON file", error) from None
    shares = document.get("percent") if isinstance(document, dict) else None
    whole = isinstance(shares, dict) and all(
        isinstance(share, dict)
        and isinstance(share.get("people"), list)
        and isinstance(share.get("events"), list)
        for share in shares.values()
    )
    if not (isinstance(document, dict) and whole) or type(document.get("people")) is not int:
        raise _unfit(
            path, "it is malformed", "the number of people, and people and events by percent", path
        )
    return cast(Ids, document)  # what its lists hold is checked where they are used


def _unfit(path: Path, what: str, expected: str, found: object) -> KitError:
    return ManifestError(
        f"split.ids {path}: {what}",
        expected=expected,
        found=found,
        remedy=f"{restored(path)}, {OTHERWISE}",
    )
