"""Guess which column of an unknown table holds what, for the error that proposes a mapping.

Nothing here decides what is read: a person writes the mapping into the manifest.
"""

import difflib
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from kit.benchmarks.pebench.lists import KEY, VALUE, list_of
from kit.errors import DataError
from kit.experiment.manifest import Columns

SYNONYMS = {
    "file": ("image", "path", "picture", "filename", "img", "photo"),
    "person": ("name", "label", "identity", "celebrity", "who"),
    "event": ("scene", "activity", "title"),
    "description": ("caption", "text", "answer", "sentence", "prompt"),
    "keywords": ("keyword", "tags"),
}
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
LEVELS = 3  # of folders in which an image of the first person is looked for
MARKS = ("_", ":", ".", "/", " ")  # between an event and what a column holds of it
FIT = 0.75  # of spellings that pass for one
Places = dict[str, str]  # {place: the words that say what it holds}


def guess(
    columns: Columns, header: Sequence[str], cells: Mapping[str, str], root: Path | None
) -> dict[str, str]:
    """Return {field: place} for a table; "" where nothing fits.

    Args:
        columns: the mapping so far; what the table has of it stays.
        header: the column names.
        cells: the first row.
        root: the folder of the table, to look for the images of the first person.
    """
    mapped = columns.model_dump()
    alike = _numbered(header)
    found = _by_name(mapped, header, _places(header, cells, alike))
    if not found["event"] or not found["description"]:
        alike |= _families([name for name in header if name != found["person"]])
        found = _by_name(mapped, header, _places(header, cells, alike))
    if not found["event"] and not found["description"] and _events(header, list(found.values())):
        found |= {"event": "*", "description": "*"}
    if not found["event"] and _named_stars(found):
        found["event"] = "*"
    if not found["file"] and root is not None:
        found["file"] = _file(root, cells.get(found["person"], ""))
    return found


def _by_name(mapped: Mapping[str, str], header: Sequence[str], places: Places) -> dict[str, str]:
    free = {place: said for place, said in places.items() if place not in mapped.values()}
    found = {}
    for field, name in mapped.items():
        chosen = name if name in header and name in places else _nearest(field, name, free)
        free.pop(chosen, None)
        found[field] = chosen
    return found


def _nearest(field: str, name: str, free: Mapping[str, str]) -> str:
    """Return the unused place with the nearest words, else the nearest spelling; "" if none."""
    wanted = [word.casefold() for word in (field, name, *SYNONYMS[field]) if word]
    for word in wanted:
        for place, said in free.items():
            if word == said or word in _words(said):
                return place
    for word in wanted:
        spellings = {said: place for place, said in free.items()}
        if near := difflib.get_close_matches(word, spellings, n=1, cutoff=FIT):
            return spellings[near[0]]
    return ""


def _words(said: str) -> set[str]:
    """Return the words of a column's name, those in the plural also in the singular."""
    found = set(said.split())
    return found | {word.removesuffix("s") for word in found}


def _places(header: Sequence[str], cells: Mapping[str, str], numbered: Mapping[str, str]) -> Places:
    """Return what a mapping can name: columns, columns of one name with numbers, parts of lists."""
    places: Places = {}
    for name in header:
        if name in numbered:
            places[numbered[name]] = _said(numbered[name])
        elif parts := dict(_parts(name, cells.get(name, ""))):
            places |= parts
        else:
            places[name] = _said(name)
    return places


def _said(name: str) -> str:
    return " ".join(re.sub(r"[^\w]|_", " ", name).casefold().split())


def _parts(name: str, cell: str) -> Iterator[tuple[str, str]]:
    """Yield the parts of a cell that is a list or an object, and the words of each."""
    if not cell.strip().startswith(("[", "{")):
        return
    try:
        items = list_of(cell, name)
    except DataError:
        return
    if not items or not isinstance(items[0], Mapping):
        yield f"{name}[]", _said(name)
        return
    for key in items[0]:
        # The keys of an object of events are events, and its values describe them.
        said = {KEY: "event", VALUE: f"{_said(name)} description"}.get(str(key), _said(str(key)))
        yield f"{name}[].{key}", said


def _numbered(header: Sequence[str]) -> dict[str, str]:
    """Return {column: the column with a star for its number}, where several differ in it alone."""
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for name in header:
        for number in list(re.finditer(r"\d+", name))[-1:]:
            alike[name[: number.start()] + "*" + name[number.end() :]].append(name)
    return {name: star for star, names in alike.items() if len(names) > 1 for name in names}


def _families(names: Sequence[str]) -> dict[str, str]:
    """Return {column: `*_caption`} of columns with one end or beginning; the rest are events.

    Two such families have to agree on the events.
    """
    alike: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for name in names:
        for mark in (mark for mark in MARKS if mark in name):
            before, _, after = name.partition(mark)
            alike[f"{before}{mark}*"][after] = name
            before, _, after = name.rpartition(mark)
            alike[f"*{mark}{after}"][before] = name
    groups: defaultdict[frozenset[str], list[str]] = defaultdict(list)
    for place, members in alike.items():
        if len(members) > 1:
            groups[frozenset(members)].append(place)
    agreeing = [group for group in groups.values() if len(group) > 1]
    best = max(agreeing, key=lambda group: (_fields(group), len(alike[group[0]])), default=[])
    return {name: place for place in best for name in alike[place].values()}


def _fields(places: Sequence[str]) -> int:
    """Return how many of the places have a word for a field in their name."""
    known = {word for field, others in SYNONYMS.items() for word in (field, *others)}
    return sum(bool(_words(_said(place)) & known) for place in places)


def _named_stars(found: Mapping[str, str]) -> bool:
    """Return whether each event has a column of its own for the description."""
    return "*" in found["description"] and "[]" not in found["description"]


def _events(header: Sequence[str], used: Collection[str]) -> bool:
    """Say whether several columns may be named as events: those of a wide table that are left."""
    return sum(bool(name) and name not in used for name in header) > 1


def _file(root: Path, person: str) -> str:
    """Return the path of images as `file` names it, from an image in a folder of this person."""
    if not person.strip():
        return ""
    for depth in range(LEVELS):
        for folder in sorted(root.glob("*/" * depth + "*")):
            if folder.is_dir() and folder.name == person.strip():
                names = sorted(p.name for p in folder.iterdir() if p.suffix.lower() in ENDINGS)
                if names:
                    above = folder.parent.relative_to(root).as_posix()
                    return ("" if above == "." else f"{above}/") + "{person}/" + _stem(names)
    return ""


def _stem(names: Sequence[str]) -> str:
    """Return the name of an image without its ending: a count if it is one, or else the event."""
    stems = [name.rpartition(".")[0] for name in names]
    if not all(stem.isdecimal() for stem in stems):
        return "{event}"
    least = min(stems, key=int)
    digits = f":0{len(least)}" if len(least) > 1 else ""
    return "{index" + digits + "}" if int(least) == 0 else "{number" + digits + "}"
