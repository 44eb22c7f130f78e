"""The options of PEBench in a manifest: `[benchmark] options = { ... }`.

people, events     how many the table must have (counts.py); not checked unless given
held_out_percent   the share of each person's images that no system learns from (held_out.py)
delimiter          what separates the cells of a table; recognised unless given
encoding           of tables that are neither UTF-8 nor UTF-16
"""

import re
from dataclasses import dataclass

from kit.benchmarks.pebench.csv import Reading
from kit.benchmarks.pebench.encoding import is_encoding
from kit.experiment.options import COUNT, Accepted, Range, require

MOST_HELD_OUT = 50  # percent; more would be a test of another experiment: training on a few images


def is_delimiter(value: object) -> bool:
    """Say whether a value can separate cells: letters, digits, quotes and blanks are in texts."""
    unfit = r'[\w"\s]'
    return value == "\t" or (
        isinstance(value, str) and len(value) == 1 and not re.match(unfit, value)
    )


DELIMITER = Accepted(
    is_delimiter,
    r'one character between two cells, such as ";" or "\t"; without the option, commas, '
    "semicolons, tabs and bars are recognised",
)
ENCODING = Accepted(
    is_encoding,
    "the name of an encoding, such as cp1252, latin-1, utf-16-le or gb18030; UTF-8 needs none",
)


@dataclass(frozen=True)
class Options:
    """The options; the module explains them. None is one that is not given."""

    people: int | None = None
    events: int | None = None
    held_out_percent: int = 0
    delimiter: str | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        """Check the options."""
        require(
            self,
            people=COUNT,
            events=COUNT,
            held_out_percent=Range(0, most=MOST_HELD_OUT),
            delimiter=DELIMITER,
            encoding=ENCODING,
        )

    @property
    def counts(self) -> dict[str, int]:
        """Return the numbers of people and events that are given."""
        given = {"people": self.people, "events": self.events}
        return {name: count for name, count in given.items() if count is not None}

    @property
    def reading(self) -> Reading:
        """Return how tables are written."""
        return Reading(self.delimiter or "", self.encoding or "")
