"""UMU-Bench's tables: each row is one person, with one image, pairs to learn and questions."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kit.benchmarks.cells import id_of, text
from kit.benchmarks.left_out import REMEDY, OddCell, OddRows
from kit.benchmarks.mllmu.biography import name_in
from kit.benchmarks.mllmu.profiles import rows
from kit.benchmarks.parquet import Place
from kit.benchmarks.umu.literals import literal
from kit.benchmarks.umu.questions import QUESTIONS, TASKS, Question, questions
from kit.errors import DataError

SEEN, READ = "MM_QA", "UM_QA"  # pairs with the image, and pairs in text alone
PAIRS = "pairs"
FIELDS = ("image", "ID", "Biography", SEEN, READ, *TASKS)


@dataclass(frozen=True)
class Profile:
    """One row. `seen` and `read` are its (fact, question, answer), with and without the image.

    `named` says whether the biography has a name; otherwise `person` is made of the ID.
    """

    id: str
    person: str
    named: bool
    image: Path
    seen: tuple[tuple[str, str, str], ...]
    read: tuple[tuple[str, str, str], ...]
    questions: tuple[Question, ...]


def read_profiles(
    place: Place,
    config: str,
    odd: OddRows,
    *,
    asked: bool = True,
    taught: bool = True,
    nameless: str = "ID",
) -> dict[str, Profile]:
    """Return {ID: profile} of a configuration, without odd rows, questions and pairs.

    Args:
        asked, taught: read the questions, and the pairs to learn.
        nameless: what a person without a name is called, before the ID.

    Raises:
        DataError: a table or column is missing, an ID occurs twice, or too much is odd, such as
            everything about one person.
    """
    profiles: dict[str, Profile] = {}
    for table, number, row in rows(place, config, FIELDS):
        where = f"{config}/{table.name}, row {number}"
        name = name_of(row["Biography"])
        try:
            key = id_of(row["ID"], where)
            if not key:
                raise OddCell(where, "ID", "is empty", expected="an ID", found=row["ID"])
            image = place.image(table, "image", number)
            if image is None:
                raise OddCell(where, "image", "is empty", expected="an image", found=None)
        except OddCell as error:
            odd.leave_out(config, error.kind, where, person=name)
            continue
        if key in profiles:
            raise DataError(
                f"UMU-Bench: {where}: ID {key} occurs twice in {config}",
                expected="one row per ID; 1, 1.0 and 001 are one ID",
                found=f"{profiles[key].person} and {name or 'a row without a name'}",
                remedy=REMEDY,
            )
        person = name or f"{nameless} {key}"
        seen, read = (
            tuple(_pairs(row[field], config, field, where, odd, person)) if taught else ()
            for field in (SEEN, READ)
        )
        put = tuple(questions(row, config, where, odd, person)) if asked else ()
        profiles[key] = Profile(key, person, bool(name), image, seen, read, put)
    found = profiles.values()
    odd.require_few(config, len(profiles))
    odd.require_everybody(config, (one.person for one in found))
    for unit, wanted, kept in (
        (QUESTIONS, asked, {one.id: one.questions for one in found}),
        (PAIRS, taught, {one.id: (*one.seen, *one.read) for one in found}),
    ):
        if wanted:
            odd.require_few(config, sum(map(len, kept.values())), unit)
            odd.require_everybody(config, (profiles[k].person for k in kept if kept[k]), unit)
    return profiles


def ids_of(place: Place, config: str) -> set[str]:
    """Return the IDs of a configuration that can be read."""
    return {
        found
        for table, number, row in rows(place, config, ("ID",))
        if (found := id_of(row["ID"], f"{config}/{table.name}, row {number}"))
    }


def name_of(biography: object) -> str:
    """Return the name in a biography that is a struct or the text of one; "" if it has none.

    No source that was read says what a biography looks like. Those of MLLMU-Bench, on whose code
    the released one is built, have a key Name.
    """
    try:
        return name_in(literal(biography, "", "Biography"), "")
    except OddCell:
        return ""


def _pairs(
    cell: object, config: str, field: str, where: str, odd: OddRows, person: str
) -> Iterator[tuple[str, str, str]]:
    """Yield (fact, question, answer) of `{question: {fact: ...}, answer: {fact: ...}}`."""

    def leave_out(error: OddCell) -> None:
        odd.leave_out(config, error.kind, error.where, person=person, unit=PAIRS)

    try:
        found = literal(cell, where, field)
        asked = literal(found.get("question"), where, f"{field}.question")
        answers = literal(found.get("answer"), where, f"{field}.answer")
    except OddCell as error:
        leave_out(error)
        return
    for fact, question in asked.items():
        place = f"{where}, {field}.{fact}"
        try:
            yield fact, text(question, place, "question"), text(answers.get(fact), place, "answer")
        except OddCell as error:
            leave_out(error)
