"""The training data of MLLMU-Bench: the pairs of question and answer in `ft_Data`.

The paper fine-tunes on an image with each pair of its person (arXiv 2410.22108; the prompt is the
question). Unimodal unlearning uses the same pairs without the image.

Published entries may lack a question or an answer, or have `Additional_question` in their place.
They are left out, as the released code does, and counted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.benchmarks.cells import id_of, is_missing, nested, text
from kit.benchmarks.left_out import REMEDY, OddCell, OddRows
from kit.benchmarks.mentions import OF_ANOTHER, People
from kit.benchmarks.mllmu.profiles import Profile, rows
from kit.benchmarks.parquet import Place
from kit.benchmarks.records import Concept, Record
from kit.benchmarks.words import mentions, words
from kit.errors import DataError, ManifestError

PAIRS, GENERAL = "ft_Data", "general"
PAIR, ADDITIONAL = "pairs", "Additional_"
MAX_SHOWN = 3  # IDs in a message


@dataclass(frozen=True)
class Lessons:
    """The pairs of one profile as records, with the image and without it."""

    image: tuple[Record, ...]
    text: tuple[Record, ...]


def read_lessons(place: Place, profiles: Mapping[str, Profile], odd: OddRows) -> dict[str, Lessons]:
    """Return {ID: lessons} of `profiles`; other rows of `ft_Data` are not used.

    Rows are matched by ID. Without an ID, they are matched by the bytes of the image, which are
    equal in all configurations.

    Raises:
        DataError: too many rows or pairs are odd, a profile has no row or several, or all pairs of
            a person are left out.
    """
    lessons: dict[str, Lessons] = {}
    found: dict[str, None] = {}
    by_image = {profile.image: profile.id for profile in profiles.values()}
    whose: dict[Path, set[str]] = {}
    for one in profiles.values():
        whose.setdefault(one.image, set()).add(one.id)
    for table, number, row in rows(place, PAIRS, ("image", "metadata")):
        where = f"{PAIRS}/{table.name}, row {number}"
        image = place.image(table, "image", number)
        try:
            key = id_of(row.get("ID"), where) or (by_image.get(image, "") if image else "")
            profile = profiles.get(key)
            found[key] = None
            if profile is None and not key and "ID" in row:
                raise OddCell(where, "ID", "is empty", expected="an ID", found=None)
            if profile is None:
                continue
            if image is None:
                raise OddCell(where, "image", "is empty", expected="an image", found=None)
            if key not in whose.get(image, {key}):
                problem, other = "is the picture of another person", min(whose[image])
                raise OddCell(where, "image", problem, expected=f"of ID {key}", found=f"ID {other}")
        except OddCell as error:
            odd.leave_out(PAIRS, error.kind, where)
            continue
        if key in lessons:
            raise DataError(
                f"MLLMU-Bench: {where}: ID {key} again",
                expected="one row per profile; 1, 1.0 and 001 are one ID",
                found=f"{profile.person}, ID {row.get('ID')!r}",
                remedy=REMEDY,
            )
        pairs = _pairs(row["metadata"], PAIRS, where, odd, profile.person, key)
        lessons[key] = Lessons(
            tuple(
                _record(f"mllmu/finetune/{key}/pair-image/{n}", pair, profile.person, image)
                for n, pair in enumerate(pairs)
            ),
            tuple(
                _record(f"mllmu/finetune/{key}/pair-text/{n}", pair, profile.person, None)
                for n, pair in enumerate(without_image(pairs, profile.person))
            ),
        )
    odd.require_few(PAIRS, len(found) or 1)
    _require_taught(lessons, profiles, tuple(found), odd)
    return lessons


def _require_taught(
    lessons: Mapping[str, Lessons],
    profiles: Mapping[str, Profile],
    found: tuple[str, ...],
    odd: OddRows,
) -> None:
    """Check that every profile has a row with pairs.

    Args:
        found: the IDs that `ft_Data` has.

    Raises:
        DataError: one has none; it names the people.
    """
    if missing := sorted(set(profiles) - set(lessons)):
        named = [f"{key} ({profiles[key].person})" for key in missing[:MAX_SHOWN]]
        left = f"; {odd.count(PAIRS)} rows were left out" if odd.count(PAIRS) else ""
        raise DataError(
            f"MLLMU-Bench: {PAIRS} has no row for {len(missing)} of the profiles to train on",
            expected=f"a row for each of the {len(profiles)} forget and retain profiles",
            found=f"none for ID {', '.join(named)}; IDs there: "
            f"{', '.join(map(repr, found[:MAX_SHOWN]))}{left}",
            remedy=REMEDY,
        )
    odd.require_few(PAIRS, sum(len(each.image) for each in lessons.values()), PAIR)
    taught = [profiles[key].person for key, each in lessons.items() if each.image]
    odd.require_everybody(PAIRS, taught, PAIR)


def without_mentions(
    lessons: Mapping[str, Lessons], kept: Iterable[str], people: Sequence[str], odd: OddRows
) -> dict[str, Lessons]:
    """Return the lessons without pairs of the kept IDs that mention one of these people.

    Such pairs would teach a forgotten name. They are odd, and counted. So are pairs of all IDs that
    name another person alone: rows may be shifted.

    Raises:
        DataError: there are too many, or all pairs of a person are among them.
    """
    made, only = dict(lessons), set(kept)
    known = People({record.person for one in lessons.values() for record in one.image})
    for key, one in lessons.items():
        about: dict[tuple[str, str], str] = {}
        for record in one.image:
            pair = record.question, record.answer
            if key in only and mentions(pair, people):
                about[pair] = "it mentions a forgotten person"
            elif known.is_about_another(pair, record.person):
                about[pair] = OF_ANOTHER
        for record in one.image:
            if kind := about.get((record.question, record.answer)):
                odd.leave_out(PAIRS, kind, record.id, person=record.person, unit=PAIR)
        if about:
            made[key] = Lessons(
                *(
                    tuple(r for r in records if (r.question, r.answer) not in about)
                    for records in (one.image, one.text)
                )
            )
    odd.require_few_more(PAIRS, PAIR)
    odd.require_everybody(PAIRS, [r.person for one in made.values() for r in one.image], PAIR)
    return made


def without_image(pairs: list[tuple[str, str]], person: str) -> list[tuple[str, str]]:
    """Return the pairs that make sense without the image: those that name the person.

    If no question names the person, all are kept: asking about "this person" beats not asking.
    """
    name = set(words(person))
    return [pair for pair in pairs if not name.isdisjoint(words(pair[0]))] or pairs


def read_general(place: Place, evaluated: set[Path], odd: OddRows) -> list[Record]:
    """Return the rehearsal records: general knowledge that is mixed into fine-tuning.

    The published data has none. The embedded data has a configuration `general` with the columns
    of `ft_Data`, and `text_only` for rows whose pairs are trained without an image.

    Raises:
        ManifestError: the source has no such configuration.
        DataError: a row is malformed, or shows an image that is evaluated.
    """
    try:
        found = place.tables(GENERAL)
    except DataError as error:
        raise ManifestError(
            "finetune.rehearsal is set, but the source has no general records to rehearse",
            expected=f"a configuration '{GENERAL}', which the published MLLMU-Bench does not have",
            found=error.found,
            remedy="set rehearsal = 0 in [finetune]",
        ) from None
    records = []
    needed = ("image", "ID", "metadata", "text_only")
    for table, number, row in rows(place, GENERAL, needed) if found else ():
        where = f"{GENERAL}/{table.name}, row {number}"
        image = None if row["text_only"] else place.image(table, "image", number)
        if image is None and not row["text_only"]:
            raise OddCell(where, "image", "is empty", expected="an image, or text_only", found=None)
        if image in evaluated:
            expected = "an image that is not evaluated"
            raise OddCell(where, "image", "is evaluated", expected=expected, found=image)
        key = id_of(row["ID"], where)
        records += [
            _record(f"mllmu/general/{key}/pair/{n}", pair, "", image)
            for n, pair in enumerate(_pairs(row["metadata"], GENERAL, where, odd))
        ]
    odd.require_few(GENERAL, len(records), PAIR)
    return records


def _pairs(
    metadata: object, table: str, where: str, odd: OddRows, person: str = "", key: str = ""
) -> list[tuple[str, str]]:
    """Return the pairs of question and answer of a row; the others are left out and counted.

    Args:
        person, key: the person of the row, and their ID.
    """
    pairs: list[tuple[str, str]] = []

    def leave_out(kind: str, place: str, *, published: bool = False) -> None:
        odd.leave_out(table, kind, place, person=person, unit=PAIR, published=published)

    try:
        entries = nested(metadata, list, where, "metadata")
        if not entries:
            raise OddCell(where, "metadata", "is empty", expected="a list", found=metadata)
    except OddCell as error:
        leave_out(error.kind, where)
        return pairs
    for index, entry in enumerate(entries):
        place = f"{where}, metadata[{index}]"
        try:
            found = nested(entry, dict, place, "the entry")
            given = [found.get("Question"), found.get("Answer")]
            if any(map(is_missing, given)):
                more = any(name.startswith(ADDITIONAL) for name in found)
                kind = f"an entry of {ADDITIONAL}*" if more else "no question or no answer"
                leave_out(kind, place, published=True)
                continue
            if key and (other := id_of(found.get("ID"), place)) not in ("", key):
                expected = f"ID {key}, as of the row"
                raise OddCell(place, "ID", "is another person's", expected=expected, found=other)
            asked, answer = text(given[0], place, "Question"), text(given[1], place, "Answer")
            pairs.append((asked, answer))
        except OddCell as error:
            leave_out(error.kind, place)
    return pairs


def _record(key: str, pair: tuple[str, str], person: str, image: Path | None) -> Record:
    return Record(key, Concept.FACT, *pair, image, person)
