"""Rows of new things in the tables of the READMEs, which list everything that exists."""

import re
from dataclasses import dataclass

from kit.artifacts import project_path, restored
from kit.errors import DataError

CODE = re.compile(r"`([^`]+)`")
CARDS = ("<!-- cards:", "<!-- /cards -->")  # around the table of cards in manifests/README.md


@dataclass(frozen=True)
class Row:
    """A row for the table of a page.

    `header` is how the first line of the table begins. `ordered`: the rows are in the order of the
    names in their first cells; otherwise the row becomes the last one. `like` is a manifest beside
    which the table of cards also lists the new one, "" for none.
    """

    page: str
    header: str
    text: str
    ordered: bool = False
    like: str = ""


def with_row(text: str, row: Row) -> str:
    """Return the text of a page with one row more.

    Raises:
        DataError: the page has no such table.
    """
    lines = text.split("\n")
    first = next((i for i, line in enumerate(lines) if line.startswith(row.header)), None)
    if first is None:
        path = project_path(row.page)
        raise DataError(
            f"{row.page} has no table that begins with '{row.header}'",
            expected="that table, for a row about what is new",
            found=f"{len(lines)} lines without it",
            remedy=f"bring the table back: {restored(path)}",
        )
    place = first + 2
    while place < len(lines) and lines[place].startswith("|"):
        if row.ordered and _name(lines[place]) > _name(row.text):
            break
        place += 1
    lines.insert(place, row.text)
    made = "\n".join(lines)
    return _with_card(made, row.like, _name(row.text)) if row.like else made


def _with_card(text: str, like: str, name: str) -> str:
    """Return the page of manifests with a name beside another in the table of cards.

    Manifests that are trained alike share their rows, and the first of their names decides the
    place. Where the other has no row, the page stays as it is.
    """
    before, begin, rest = text.partition(CARDS[0])
    table, end, after = rest.partition(CARDS[1])
    mark, *lines = table.strip("\n").split("\n")
    head, groups = lines[:2], list[list[str]]()
    for line in lines[2:]:
        if line.startswith("|  |"):
            groups[-1].append(line)
        else:
            groups.append([line])
    for group in groups:
        _, cell, others = group[0].split("|", 2)
        if like in (names := CODE.findall(cell)):
            listed = ", ".join(f"`{each}`" for each in sorted([*names, name]))
            group[0] = f"| {listed} |{others}"
    groups.sort(key=lambda group: _name(group[0]))
    made = "\n".join([mark, *head, *(line for group in groups for line in group)])
    return f"{before}{begin}{made}\n{end}{after}"


def _name(row: str) -> str:
    """Return the first name in code marks of a row; "" where there is none."""
    found = CODE.search(row)
    return found[1] if found else ""
