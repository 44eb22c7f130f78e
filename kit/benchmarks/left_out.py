"""The one rule for odd rows: leave them out, count them, show them; refuse too many.

Published files have rows that no author of a loader has seen, so one odd row does not stop a
benchmark. Rows that are left out are counted by kind. `data describe` prints the counts; run.json
and the report of a result hold them. A table is refused if

- more than one in a hundred of its rows (or questions) are odd; a single odd one is always allowed;
- a person of the training data would lose all rows of the table.

Some forms that cannot be used are known to be published. They are counted and shown as well, but
not held against the share.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from kit.benchmarks.identity import not_in
from kit.errors import DataError
from kit.names import show

MOST_PERCENT = 1  # of a table's rows, or of its questions
MAX_SHOWN = 3
REMEDY = (
    "compare the table with the pinned revision; if the rows are wrong there, report them to the "
    "publisher, or correct a copy, name it as `folder` and run `./run.sh lock MANIFEST`"
)


class OddCell(DataError):
    """A cell that cannot be used. `kind` says why in a few words; equal kinds are counted together.

    Loaders leave the row out (`OddRows`). Where they cannot, it is an error like any other.
    """

    def __init__(
        self, where: str, field: str, problem: str, *, expected: str, found: object
    ) -> None:
        super().__init__(
            f"{where}, {field} {problem}",
            expected=expected,
            found=show(repr(found))[:120],
            remedy=REMEDY,
        )
        self.kind = show(f"{field} {problem}")
        self.where = where


@dataclass(frozen=True)
class LeftOut:
    """Rows of one table that were left out for one reason.

    `unit` is what is counted, "rows" for example. `of` are all of them in the table. `first` says
    where the first one is. `published` marks a form that is known to be published.
    """

    table: str
    kind: str
    count: int
    of: int
    unit: str
    first: str
    published: bool = False

    def __str__(self) -> str:
        reason = "; a form known to be published" if self.published else ""
        return (
            f"{self.count} of {self.of} {self.unit} of {self.table}: {self.kind} "
            f"(first: {self.first}{reason})"
        )


@dataclass(frozen=True)
class _Odd:
    table: str
    unit: str
    kind: str
    where: str
    person: str
    published: bool


class OddRows:
    """Collects what is left out while a benchmark is loaded."""

    def __init__(self) -> None:
        self._odd: list[_Odd] = []
        self._totals: dict[tuple[str, str], int] = {}

    def leave_out(
        self,
        table: str,
        kind: str,
        where: str,
        *,
        person: str = "",
        unit: str = "rows",
        published: bool = False,
    ) -> None:
        """Count one row.

        Args:
            table: its configuration.
            kind: why it cannot be used, in a few words.
            where: file and row, for a reader.
            person: the person of the row, where the row says so.
            unit: what is counted.
            published: such rows are known to be published.
        """
        self._odd.append(_Odd(table, unit, kind, where, person, published))

    def require_few(self, table: str, used: int, unit: str = "rows") -> None:
        """Check the share of odd rows, once the table is read.

        Args:
            used: how many rows of the table are used.

        Raises:
            DataError: more than one, and more than one in a hundred, are odd; or all of them.
        """
        every = self._of(table, unit)
        total = self._totals[table, unit] = used + len(every)
        odd = [each for each in every if not each.published]
        if few(len(odd), total) and (used or not total):
            return
        odd = odd or every
        kinds = Counter(each.kind for each in odd)
        shown = [f"{kind}: {count}" for kind, count in kinds.most_common(MAX_SHOWN)]
        raise DataError(
            f"{len(odd)} of {total} {unit} of '{table}' cannot be used",
            expected=f"at most one, or {MOST_PERCENT} %",
            found="; ".join([*shown, f"first: {odd[0].where}"]),
            remedy=REMEDY,
        )

    def require_few_more(self, table: str, unit: str = "rows") -> None:
        """Check the share again, after more rows of a table that was read were left out.

        Raises:
            DataError: as for `require_few`.
        """
        self.require_few(table, self._totals[table, unit] - self.count(table, unit), unit)

    def count(self, table: str, unit: str = "rows") -> int:
        """Return how many rows of a table were left out."""
        return len(self._of(table, unit))

    def require_everybody(self, table: str, kept: Iterable[str], unit: str = "rows") -> None:
        """Check that every person keeps at least one row of the table.

        Args:
            kept: the people of the rows that are used.

        Raises:
            DataError: all rows of a person are odd; it names the person.
        """
        odd = self._of(table, unit)
        if lost := not_in((each.person for each in odd), kept):
            first = next(each for each in odd if each.person == lost[0])
            raise DataError(
                f"'{table}' would lose everything about {show(lost[0])}",
                expected=f"{unit} that can be used about every person",
                found=f"{len(lost)} people without; {first.kind}: {first.where}",
                remedy=REMEDY,
            )

    def left_out(self) -> tuple[LeftOut, ...]:
        """Return what was left out, by table and kind, in the order of reading."""
        counts = Counter((e.table, e.unit, e.kind, e.published) for e in self._odd)
        first: dict[tuple[str, str, str, bool], str] = {}
        for each in self._odd:
            first.setdefault((each.table, each.unit, each.kind, each.published), each.where)
        return tuple(
            LeftOut(
                table, kind, count, self._totals.get((table, unit), count), unit,
                first[table, unit, kind, published], published,
            )
            for (table, unit, kind, published), count in counts.items()
        )  # fmt: skip

    def _of(self, table: str, unit: str) -> list[_Odd]:
        return [each for each in self._odd if (each.table, each.unit) == (table, unit)]


def few(count: int, total: int) -> bool:
    """Say whether so few of `total` may be odd: one, or one in a hundred."""
    return count <= max(1, total * MOST_PERCENT // 100)
