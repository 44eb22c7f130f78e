"""One row of CLEAR's tables: its cells, its person, and when two rows are the same."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kit.benchmarks import cells
from kit.benchmarks.identity import identity
from kit.benchmarks.left_out import OddCell
from kit.benchmarks.words import contains_phrase, mentions, words


@dataclass(frozen=True)
class Row:
    """One row of a configuration.

    `number` counts rows over all files of the configuration; `where` names the file and the row
    in it, for errors.
    """

    config: str
    number: int
    where: str
    image: Path | None
    cells: Mapping[str, object]

    @property
    def name(self) -> str:
        """The person's name in the row; "" if the cell is empty, says none, or is no text."""
        try:
            return cells.name_or_empty(self.cells.get("name"), self.where, "column 'name'")
        except OddCell:
            return ""

    def text(self, column: str) -> str:
        """Return a cell's text without surrounding blanks.

        Raises:
            OddCell: it is empty or not a text.
        """
        return cells.text(self.cells.get(column), self.where, f"column '{column}'")

    def text_or_empty(self, column: str) -> str:
        """Return a cell's text; "" if it is empty, or if the column does not exist.

        Raises:
            OddCell: it is not a text.
        """
        return cells.text_or_empty(self.cells.get(column), self.where, f"column '{column}'")

    def texts(self, column: str) -> tuple[str, ...]:
        """Return a cell's list of texts, which may be JSON text.

        Raises:
            OddCell: it is empty or not a list, or one of its items is empty or not a text.
        """
        value = self.cells.get(column)
        if isinstance(value, str) and value.lstrip().startswith("["):
            value = cells.nested(value, list, self.where, f"column '{column}'")
        if not isinstance(value, list) or not value:
            raise self.odd(column, "is no list of texts", "a non-empty list of texts")
        field = f"column '{column}', an item"
        return tuple(cells.text(item, self.where, field) for item in value)

    def odd(self, column: str, problem: str, expected: str) -> OddCell:
        """Return the error for a cell with an unexpected value."""
        found = self.cells.get(column)
        return OddCell(self.where, f"column '{column}'", problem, expected=expected, found=found)


def longest_first(names: Iterable[str]) -> list[str]:
    """Return distinct names for `author`: Dee Delta before Dee."""
    return sorted(set(names), key=lambda name: (-len(name), name))


def author(row: Row, known: Sequence[str]) -> str:
    """Return the person that a text row is about; "" if unknown: the row is its own cluster.

    This is the column `name` if the table has it, otherwise the first of the `known` names (longest
    first) whose words occur in the question or the answer.
    """
    if name := row.name:
        return name
    texts = [
        value for value in map(row.cells.get, ("question", "answer")) if isinstance(value, str)
    ]
    found = (name for name in known if any(contains_phrase(text, name) for text in texts))
    return next(found, "")


def is_about(row: Row, people: Sequence[str]) -> bool:
    """Say whether a row names one of these people, or mentions one in its texts."""
    if identity(row.name) in {identity(name) for name in people}:
        return True
    found = (row.cells.get(column) for column in ("caption", "question", "answer"))
    return mentions([text for text in found if isinstance(text, str)], people)


def respelt(rows: Iterable[Row], spelling: Mapping[str, str]) -> tuple[Row, ...]:
    """Return the rows with the one spelling of each name.

    Args:
        spelling: {identity: spelling}; other names stay.
    """
    return tuple(
        row
        if (name := spelling.get(identity(row.name), row.name)) == row.name
        else replace(row, cells={**row.cells, "name": name})
        for row in rows
    )


def image_key(row: Row) -> tuple[object, ...]:
    """Return the key of an image row: rows with equal keys are duplicates."""
    return row.image, row.text("caption")


def text_key(row: Row) -> tuple[object, ...]:
    """Return the key of a text row: rows with equal keys are duplicates."""
    return row.text("question"), row.text("answer")


def same_words(text: str) -> tuple[str, ...]:
    """Return a key that is equal for texts that differ only in case and punctuation."""
    return words(text) or (text.strip(),)
