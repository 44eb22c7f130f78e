"""Where a table has the fields of an image: in one row per image, or in one row per person.

A field of `[benchmark.columns]` is one of these:

caption                         a column: one row per image
event_*                         columns that differ at the star: one row per person, one image per
                                star. `event = "*"`: what the star stands for is the event itself
events[]                        a list in a cell: one row per person, one image per item
events[].caption                the same, for a list of objects
images/{person}/{event}.png     only `file`: a path made of other fields and columns. `{index}`
                                counts a person's images from 0, `{number}` from 1, `{number:03}`
                                with three digits; a star is the star of the other fields
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kit.benchmarks.pebench.csv import Line, Table, no_value, shortened
from kit.benchmarks.pebench.lists import item_value, list_of
from kit.errors import DataError
from kit.experiment.manifest import Columns

FILE, PERSON, EVENT, DESCRIPTION, KEYWORDS = "file", "person", "event", "description", "keywords"
NEEDED = (FILE, PERSON, EVENT, DESCRIPTION)
LIST, STAR = "[]", "*"
SLOT = re.compile(r"\{([^{}:]+)(?::0?(\d{1,2}))?\}")
COUNTED = {"index": 0, "number": 1}
Stars = dict[str, dict[str, str]]  # {place: {what its star stands for: column}}


@dataclass(frozen=True)
class Found:
    """The lines of a table, and the images that have neither event nor description."""

    lines: list[Line]
    portraits: tuple[str, ...]


def mapping_of(columns: Columns, header: Sequence[str]) -> dict[str, str]:
    """Return {field: place}; keywords only where the table has them."""
    mapped: dict[str, str] = columns.model_dump()
    default = mapped[KEYWORDS] in ("", Columns().keywords)
    if default and mapped[KEYWORDS] not in header:
        del mapped[KEYWORDS]
    return mapped


def absent_field(mapped: Mapping[str, str], header: Sequence[str]) -> str | None:
    """Return the first field whose place is not in a header; None if all are."""
    stars = _stars(mapped, header)
    for field, place in mapped.items():
        if place in header or (LIST in place and place.partition(LIST)[0] in header):
            continue
        if field == FILE and "{" in place:
            known = {*header, *COUNTED, *(each for each in mapped if each != FILE)}
            if {slot[1] for slot in SLOT.finditer(place)} <= known:
                continue
        elif stars and (stars.get(place) or (field, place) == (EVENT, STAR)):
            continue
        return field
    return None


def image_lines(table: Table, mapped: Mapping[str, str]) -> Found:
    """Return one line for each image that a table has, with the cells of `mapped`'s fields.

    An image with a person but with neither event nor description is a portrait. One per person is
    left out; more are an error, because then cells are missing.

    Raises:
        DataError: a value is missing, a list is damaged, or lists of one row differ in length.
    """
    stars = _stars(mapped, table.header)
    images: Counter[str] = Counter()
    lines, portraits = [], dict[str, tuple[str, int]]()
    for number, row in table.rows:
        cells = table.cells(number, row)
        where = f"{table.name}, line {number}"
        for star, found in _images(cells, mapped, stars, where):
            fields = {field: cells.get(place, "") for field, place in mapped.items()} | found
            person = fields[PERSON].strip()
            if "{" in mapped[FILE] and mapped[FILE] not in table.header:
                known = {**cells, **{field: fields[field] for field in mapped if field != FILE}}
                fields[FILE] = _path(mapped[FILE], known, star, images[person])
            images[person] += 1
            blank = [field for field in NEEDED if not fields[field].strip()]
            whole = len(row) == len(table.header)  # a row that was cut off lacks its last cells
            if blank == [EVENT, DESCRIPTION] and whole:
                _keep(portraits, person, fields[FILE], number, table.name)
            elif blank:
                column = stars.get(mapped[blank[0]], {}).get(star, mapped[blank[0]])
                raise no_value(table.name, number, column, shortened(row))
            else:
                lines.append(Line(number, fields | {FILE: fields[FILE].strip()}))
    if not lines:
        raise DataError(
            f"{table.path} has no row with an event and a description",
            expected=f"values in {mapped[EVENT]} and {mapped[DESCRIPTION]}",
            found=f"{len(table.rows)} rows, such as: {shortened(table.rows[0][1])}",
            remedy="fill in the cells, or map the columns that have them in [benchmark.columns]",
        )
    return Found(lines, tuple(name for name, _ in portraits.values()))


def _keep(
    portraits: dict[str, tuple[str, int]], person: str, name: str, number: int, table: str
) -> None:
    if person in portraits:
        raise DataError(
            f"{table}: {person} has two images without event and description",
            expected="at most one for each person, such as a portrait: it is left out",
            found=f"lines {portraits[person][1]} and {number}",
            remedy="fill in the cells, or remove the rows and their images",
        )
    portraits[person] = (name, number)


def _images(
    cells: Mapping[str, str], mapped: Mapping[str, str], stars: Stars, where: str
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield, for each image of a row, the star it belongs to and the fields that are its own."""
    listed = {f: p for f, p in mapped.items() if LIST in p and p not in cells}
    if stars:
        texts = dict.fromkeys(text for columns in stars.values() for text in columns)
        for text in texts:
            own = {
                f: cells.get(stars[p].get(text, ""), "") for f, p in mapped.items() if p in stars
            }
            if any(cell.strip() for cell in own.values()):
                named = mapped[EVENT] == STAR and STAR not in cells
                yield text, {**own, **({EVENT: text} if named else {})}
    elif listed:
        values = {field: _values(cells, place, where) for field, place in listed.items()}
        if len({len(each) for each in values.values()}) > 1:
            counts = ", ".join(f"{len(values[f])} in {listed[f]}" for f in listed)
            raise DataError(
                f"{where}: lists of different lengths",
                expected="one item for each image in every list of a row",
                found=counts,
                remedy="correct the row, or check [benchmark.columns]",
            )
        for items in zip(*values.values(), strict=True):
            if any(item.strip() for item in items):
                yield "", dict(zip(values, items, strict=True))
    else:
        yield "", {}


def _values(cells: Mapping[str, str], place: str, where: str) -> list[str]:
    column, _, rest = place.partition(LIST)
    path = tuple(rest.removeprefix(".").split(".")) if rest else ()
    return [item_value(item, path, where) for item in list_of(cells.get(column, ""), where)]


def _path(place: str, known: Mapping[str, str], star: str, index: int) -> str:
    def filled(slot: re.Match[str]) -> str:
        if slot[1] in COUNTED and slot[1] not in known:
            return f"{index + COUNTED[slot[1]]:0{slot[2] or 1}d}"
        return known.get(slot[1], "").strip()

    return SLOT.sub(filled, place.replace(STAR, star.replace("\\", "")))


def _stars(mapped: Mapping[str, str], header: Sequence[str]) -> Stars:
    """Return which columns the places with a star mean: a column is that of the longest place."""
    places = [
        place
        for field, place in mapped.items()
        if STAR in place and place not in header and "{" not in place
        if (field, place) != (EVENT, STAR)
    ]
    slots = {slot[1] for place in mapped.values() for slot in SLOT.finditer(place)}
    lists = {place.partition(LIST)[0] for place in mapped.values() if LIST in place}
    stars: Stars = {place: {} for place in places}
    for column in header:
        fitting = [place for place in places if _star(place, column)]
        if fitting and column not in {*mapped.values(), *slots, *lists}:
            longest = max(fitting, key=len)
            stars[longest][_star(longest, column)] = column
    if sum(text.isdecimal() for columns in stars.values() for text in columns) > 1:
        # `event_*` of event_1 and event_2 does not mean event_notes.
        stars = {
            place: {text: column for text, column in columns.items() if text.isdecimal()}
            for place, columns in stars.items()
        }
    return stars


def _star(place: str, column: str) -> str:
    """Return what the star of a place stands for in a column; "" if it is another column."""
    before, _, after = place.partition(STAR)
    fits = column.startswith(before) and column.endswith(after)
    return column[len(before) : len(column) - len(after)] if fits else ""
