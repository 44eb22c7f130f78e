"""MLLMU-Bench's profile tables: each row is one person in one image, with 18 questions."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kit.benchmarks.cells import id_of
from kit.benchmarks.left_out import REMEDY, OddCell, OddRows
from kit.benchmarks.mllmu.biography import name_in, person_name
from kit.benchmarks.mllmu.published import QUESTIONS, TASKS, Question, questions
from kit.benchmarks.parquet import Place, read_rows
from kit.errors import DataError
from kit.streams import stream

NAMES, CELEBRITIES = "names", "Retain_Set"


@dataclass(frozen=True)
class Profile:
    """One row: a person, one image of them, and the questions."""

    id: str
    person: str
    image: Path
    questions: tuple[Question, ...]


def read_profiles(
    place: Place,
    config: str,
    odd: OddRows,
    column: str = "image",
    *,
    seed: int = 0,
    names: Mapping[str, str] | None = None,
) -> dict[str, Profile]:
    """Return {ID: profile} of a configuration, without odd rows and odd questions.

    Args:
        column: the column with the image. Of a list of images, one is drawn by seed and ID.
        names: {ID: name} for a table without biographies. None: each row has its own. Without a
            name, the ID is used as the name. This is counted, except for celebrities, who are not
            part of any training.

    Raises:
        DataError: a table or column is missing, too many rows or questions are odd, or an ID
            occurs twice.
    """
    own = ("biography",) if names is None else ()
    profiles: dict[str, Profile] = {}
    spelt: dict[str, object] = {}
    for table, number, row in rows(place, config, (column, "ID", *own, *TASKS)):
        where = f"{config}/{table.name}, row {number}"
        person = person_name(row.get("biography"), "")
        try:
            key = _id(row["ID"], where)
            person = (names or {}).get(key) or person or key
            image = _image(place, table, column, number, where, ("mllmu/image", seed, key))
        except OddCell as error:
            odd.leave_out(config, error.kind, where, person=person)
            continue
        if key in profiles:
            raise DataError(
                f"MLLMU-Bench: {where}: ID {key} occurs twice in {config}",
                expected="one row per ID; 1, 1.0 and 001 are one ID",
                found=f"{spelt[key]!r} ({profiles[key].person}) and {row['ID']!r} ({person})",
                remedy=REMEDY,
            )
        spelt[key] = row["ID"]
        if names is None and person == key and config != CELEBRITIES:
            _count_nameless(row, config, where, odd)
        profiles[key] = Profile(
            key, person, image, tuple(questions(row, config, where, odd, person))
        )
    odd.require_few(config, len(profiles))
    odd.require_few(config, len(profiles) - odd.count(config, NAMES), NAMES)
    odd.require_few(config, sum(len(one.questions) for one in profiles.values()), QUESTIONS)
    return profiles


def _count_nameless(row: Mapping[str, object], config: str, where: str, odd: OddRows) -> None:
    try:
        name_in(row["biography"], where)
    except OddCell as error:
        odd.leave_out(config, error.kind, where, unit=NAMES)


def ids_of(place: Place, config: str, odd: OddRows) -> set[str]:
    """Return the IDs of a configuration.

    Raises:
        DataError: too many rows have none.
    """
    found = []
    for table, number, row in rows(place, config, ("ID",)):
        where = f"{config}/{table.name}, row {number}"
        try:
            found.append(_id(row["ID"], where))
        except OddCell as error:
            person = person_name(row.get("biography"), "")
            odd.leave_out(config, error.kind, where, person=person)
    odd.require_few(config, len(found))
    return set(found)


def owners(place: Place, config: str) -> dict[Path, set[str]]:
    """Return whose picture a picture is, in a configuration: {picture: IDs}."""
    found: dict[Path, set[str]] = {}
    for table, number, row in rows(place, config, ("ID",)):
        with suppress(OddCell):  # `ids_of` counts such rows
            key = _id(row["ID"], f"{config}/{table.name}, row {number}")
            for image in place.images_in(table, "image", number):
                found.setdefault(image, set()).add(key)
    return found


def require_own_pictures(
    benchmark: str, shown: Mapping[str, Path], config: str, whose: Mapping[Path, set[str]]
) -> None:
    """Check that each ID has its own picture, and not that of another ID.

    A picture that `whose` does not have, or has in another encoding, says nothing.

    Args:
        shown: {ID: picture} of the configuration `config`.
        whose: from `owners`, of Full_Set.

    Raises:
        DataError: rows and pictures are shifted.
    """
    wrong = sorted(key for key, image in shown.items() if key not in whose.get(image, {key}))
    if wrong:
        other = min(whose[shown[wrong[0]]])
        raise DataError(
            f"{benchmark}: ID {wrong[0]} of {config} has the picture of another ID",
            expected="the picture that Full_Set has of this ID",
            found=f"that of ID {other}; {len(wrong)} such rows",
            remedy=REMEDY,
        )


def rows(
    place: Place, config: str, needed: tuple[str, ...]
) -> Iterator[tuple[Path, int, dict[str, object]]]:
    """Yield (table, row number, row) of a configuration, which may consist of several files."""
    for table in place.tables(config):
        for number, row in enumerate(read_rows(table, dict.fromkeys(needed))):
            yield table, number, row


def _id(value: object, where: str) -> str:
    if found := id_of(value, where):
        return found
    raise OddCell(where, "ID", "is empty", expected="an ID", found=value)


def _image(
    place: Place, table: Path, column: str, row: int, where: str, names: tuple[str | int, ...]
) -> Path:
    images = place.images_in(table, column, row)
    if not images:
        raise OddCell(where, column, "is empty", expected="an image", found=None)
    return images[0] if len(images) == 1 else stream(*names).choice(images)
