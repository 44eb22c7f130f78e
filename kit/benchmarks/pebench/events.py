"""Events and the words of their descriptions that count: the paper's, or those of own data.

PEBench prints keywords for its 40 events. Own events have theirs in a column of the table, or in
the file keywords.csv beside it, with one row for each event.
"""

import difflib
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TypedDict, cast

from kit.benchmarks.identity import identity, spelt
from kit.benchmarks.literals import read_json
from kit.benchmarks.pebench.csv import Line, Reading, no_value, read_lines
from kit.benchmarks.pebench.lists import item_value, list_of
from kit.benchmarks.words import words
from kit.errors import DataError

EVENTS = Path(__file__).with_name("events.json")
NAME = "keywords.csv"
HEADER = ("event", "keywords")
PROPOSED = 5  # keywords of an event in the file that an error proposes
SHORTEST = 4  # letters of a proposed keyword: shorter words say little
CLOSE = 0.9  # of two spellings that may be meant as one event
MAX_PROPOSED = 40  # events that an error lists


class NearDuplicates(TypedDict):
    """Events that show nearly the same; `by` says whether keywords or names tell so."""

    events: list[str]
    by: str


class PublishedEvents(TypedDict):
    """events.json: the keywords of each event, and the groups of near-duplicates."""

    about: str
    keywords: dict[str, list[str]]
    near_duplicates: list[NearDuplicates]


@cache
def published() -> PublishedEvents:
    """Return keywords and near-duplicates of the 40 events; events.json names their source."""
    return cast(PublishedEvents, read_json(EVENTS.read_text(encoding="utf-8")))


@cache
def published_keywords(event: str) -> tuple[str, ...]:
    """Return the distinct keywords that the paper prints for an event; () for other events."""
    known = {plain(name): each for name, each in published()["keywords"].items()}
    return tuple(dict.fromkeys(known.get(plain(event), ())))


def plain(event: str) -> str:
    """Return an event's name in the form for comparison, which is that of people's names."""
    return identity(event)


def split_keywords(cell: str, where: str) -> tuple[str, ...]:
    """Return the keywords of a cell: a list in brackets, or words separated by `;` or else by `,`.

    Args:
        where: file and line, for errors.

    Raises:
        DataError: it begins like a list, but is none.
    """
    if cell.lstrip().startswith("["):
        found = (item_value(item, (), where).strip() for item in list_of(cell, where))
        return tuple(word for word in found if word)
    separator = ";" if ";" in cell else ","
    return tuple(word.strip() for word in cell.split(separator) if word.strip())


def keywords_of(
    path: Path, lines: Sequence[Line], column: str | None, reading: Reading
) -> list[tuple[str, ...]]:
    """Return the keywords of each line: the table's own, those of keywords.csv, or the paper's.

    Args:
        path: of the table.
        lines: its lines, with the cells `event` and `description`, and `keywords` if it has them.
        column: the table's column of keywords; None if it has none.

    Raises:
        DataError: a cell of the column is empty, or an event has no keywords at all.
    """
    if column is not None:
        own = [
            split_keywords(line.cells["keywords"], f"{path.name}, line {line.number}")
            for line in lines
        ]
        for line, found in zip(lines, own, strict=True):
            if not found:
                raise DataError(
                    f"{path.name}, line {line.number}: no keywords for the event "
                    f"'{line.cells['event']}'",
                    expected=f"keywords separated by ';' or ',' in the column '{column}'",
                    found=repr(line.cells["keywords"]),
                    remedy="fill in the cell with words of the description",
                )
        return own
    listed = _listed(path.with_name(NAME), reading)
    events = dict.fromkeys(line.cells["event"].strip() for line in lines)
    chosen = {event: listed.get(plain(event)) or published_keywords(event) for event in events}
    if lacking := [event for event in events if not chosen[event]]:
        raise _no_keywords(path, lines, lacking)
    return [chosen[line.cells["event"].strip()] for line in lines]


def _listed(path: Path, reading: Reading) -> Mapping[str, tuple[str, ...]]:
    if not path.is_file():
        return {}
    found: dict[str, tuple[str, ...]] = {}
    first: dict[str, Line] = {}
    for line in read_lines(path, HEADER, reading):
        chosen = split_keywords(line.cells["keywords"], f"{path.name}, line {line.number}")
        if not chosen:
            raise no_value(path.name, line.number, "keywords", line.cells["keywords"])
        seen = first.setdefault(plain(line.cells["event"]), line)
        if seen is not line:
            events = spelt(*(each.cells["event"].strip() for each in (seen, line)))
            raise DataError(
                f"{path.name}, line {line.number}: the event occurs twice: {events}",
                expected="one row for each event",
                found=f"lines {seen.number} and {line.number}",
                remedy="write all keywords of the event into one row, and remove the other",
            )
        found[plain(line.cells["event"])] = chosen
    return found


def _no_keywords(path: Path, lines: Sequence[Line], lacking: Sequence[str]) -> DataError:
    first = next(line for line in lines if line.cells["event"].strip() == lacking[0])
    descriptions: defaultdict[str, list[str]] = defaultdict(list)
    for line in lines:
        descriptions[line.cells["event"].strip()].append(line.cells["description"])
    rows = [f"{_quoted(name)},{'; '.join(proposed(descriptions[name]))}" for name in lacking]
    near = difflib.get_close_matches(
        lacking[0].casefold(), published()["keywords"], n=1, cutoff=CLOSE
    )
    meant = (
        f"if you meant the paper's event '{near[0]}', correct the name; otherwise " if near else ""
    )
    more = len(rows) - MAX_PROPOSED
    block = "\n".join(f"    {row}" for row in (",".join(HEADER), *rows[:MAX_PROPOSED]))
    rest = f"\n    and a row for each of {more} more events" if more > 0 else ""
    return DataError(
        f"{path.name}, line {first.number}: no keywords for the event '{lacking[0]}'",
        expected="a column 'keywords', a row of keywords.csv, or an event of the paper",
        found=f"{len(lacking)} events without keywords: {', '.join(lacking[:3])}"
        + (", ..." if len(lacking) > 3 else ""),
        remedy=f"{meant}write the file {NAME} beside {path.name}, with the words of each event's "
        "descriptions that count (proposed from the descriptions; check them), then "
        f"`./run.sh lock MANIFEST`:\n{block}{rest}",
    )


def proposed(descriptions: Sequence[str]) -> list[str]:
    """Return the words that most descriptions of an event share, in the order of the text."""
    counts: Counter[str] = Counter()
    for text in descriptions:
        counts.update(dict.fromkeys(words(text), 1))
    order = list(counts)
    long = [word for word in order if len(word) >= SHORTEST or not word.isascii()] or order
    best = sorted(long, key=lambda word: (-counts[word], order.index(word)))[:PROPOSED]
    return best or ["WORDS"]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if re.search(r'[",\n]', name) else name
