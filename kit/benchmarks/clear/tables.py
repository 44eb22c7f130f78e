"""CLEAR's published tables as checked rows: configurations, cells, odd rows and duplicate rows.

A row with a cell that cannot be read is left out (`kit.benchmarks.left_out`); nothing is repaired.
Some rows are published twice; the first one is kept. An image row is a duplicate if an earlier row
of its configuration has the same image and caption, a text row if an earlier one has the same
question and answer.
"""

from collections.abc import Callable, Iterable, Sequence

from kit.benchmarks.clear.rows import Row, author, image_key, longest_first, text_key
from kit.benchmarks.left_out import REMEDY, OddCell, OddRows
from kit.benchmarks.parquet import Place, read_rows
from kit.errors import DataError


def has_config(place: Place, config: str) -> bool:
    """Say whether the source has a configuration."""
    return any(path.parent.name == config for path in place.all_tables())


def read_config(place: Place, config: str, needed: Iterable[str]) -> list[Row]:
    """Return all rows of a configuration, in published order.

    Raises:
        DataError: the configuration or one of the required columns is missing.
    """
    rows: list[Row] = []
    for table in place.tables(config):
        for index, found in enumerate(read_rows(table, dict.fromkeys(needed))):
            where = f"{config}/{table.name}, row {index}"
            rows.append(Row(config, len(rows), where, place.image(table, "image", index), found))
    return rows


def usable(
    rows: Sequence[Row],
    odd: OddRows,
    check: Callable[[Row], object],
    person: Callable[[Row], str] = lambda row: row.name,
) -> list[Row]:
    """Return the rows that `check` accepts; the others are left out and counted.

    Args:
        rows: of one configuration.
        check: raises OddCell for a row that cannot be used.
        person: returns the person of an odd row.

    Raises:
        DataError: too many are odd.
    """
    kept = []
    for row in rows:
        try:
            check(row)
        except OddCell as error:
            odd.leave_out(row.config, error.kind, row.where, person=person(row))
        else:
            kept.append(row)
    if rows:
        odd.require_few(rows[0].config, len(kept))
    return kept


def require_image(row: Row) -> None:
    """Check that a row has an image.

    Raises:
        OddCell: it has none.
    """
    if row.image is None:
        expected = "an image in every row of this configuration"
        raise OddCell(row.where, "column 'image'", "is empty", expected=expected, found=None)


def image_rows(place: Place, config: str, odd: OddRows, more: Sequence[str] = ()) -> list[Row]:
    """Return the rows of an image configuration, without odd rows and duplicates.

    Args:
        more: required columns besides image, caption and name. One with a plural name holds lists.

    Raises:
        DataError: a column is missing, or too many rows are odd.
    """
    rows = read_config(place, config, ("image", "caption", "name", *more))

    def check(row: Row) -> None:
        require_image(row)
        row.text("caption")
        row.text_or_empty("name")
        for column in more:
            row.texts(column) if column.endswith("s") else row.text(column)

    return _once(usable(rows, odd, check), image_key)


def text_rows(place: Place, config: str, odd: OddRows, names: Iterable[str]) -> list[Row]:
    """Return the rows of a `+tofu` configuration without an image: questions and answers.

    Its image rows repeat those of the image configuration, which also names the people; they are
    read from there.

    Args:
        names: the people that these rows may be about.

    Raises:
        DataError: there are no such rows, too many are odd, or all about one person are.
    """
    rows = read_config(place, config, ("image", "question", "answer"))
    asked = [row for row in rows if row.image is None]
    if not asked:
        raise DataError(
            f"the configuration '{config}' has no text row",
            expected="rows whose image is null",
            found="an image in every row",
            remedy=REMEDY,
        )
    known = longest_first(names)
    kept = usable(asked, odd, text_key, lambda row: author(row, known))
    odd.require_everybody(config, {author(row, known) for row in kept})
    return _once(kept, text_key)


def _once(rows: Sequence[Row], key: Callable[[Row], tuple[object, ...]]) -> list[Row]:
    kept: dict[tuple[object, ...], Row] = {}
    for row in rows:
        kept.setdefault(key(row), row)
    return list(kept.values())
