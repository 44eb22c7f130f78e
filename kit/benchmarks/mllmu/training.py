"""The training data of MLLMU-Bench: the pairs of question and answer in `ft_Data`.

The paper fine-tunes on an image with each pair of its person (arXiv 2410.22108; the prompt is the
question). Unimodal unlearning uses the same pairs without the image.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kit.benchmarks.mllmu.cells import REMEDY, nested, text, wrong
from kit.benchmarks.mllmu.profiles import Profile, rows
from kit.benchmarks.parquet import Place
from kit.benchmarks.records import Concept, Record
from kit.errors import DataError, ManifestError

PAIRS, GENERAL = "ft_Data", "general"


@dataclass(frozen=True)
class Lessons:
    """The pairs of one profile as records, with the image and without it."""

    image: tuple[Record, ...]
    text: tuple[Record, ...]


def read_lessons(place: Place, profiles: Mapping[str, Profile]) -> dict[str, Lessons]:
    """Return {ID: lessons} of `profiles`; other rows of `ft_Data` are left out.

    Rows are matched by ID. If the table has no such column, they are matched by the bytes of the
    image, which are equal in all configurations.

    Raises:
        DataError: a profile has no row or several, or a row is not as published.
    """
    lessons: dict[str, Lessons] = {}
    by_image = {profile.image: profile.id for profile in profiles.values()}
    for table, number, row in rows(place, PAIRS, ("image", "metadata")):
        where = f"{PAIRS}/{table.name}, row {number}"
        image = place.image(table, "image", number)
        if image is None:
            raise wrong(f"{where}, image", "an image", None)
        key = text(row["ID"], f"{where}, ID") if "ID" in row else by_image.get(image, "")
        profile = profiles.get(key)
        if profile is None:
            continue
        if key in lessons:
            raise wrong(where, "one row per profile", f"ID {key} again")
        pairs = _pairs(row["metadata"], where)
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
    if missing := sorted(set(profiles) - set(lessons)):
        raise DataError(
            f"MLLMU-Bench: {PAIRS} has no row for {len(missing)} of the profiles to train on",
            expected=f"a row for each of the {len(profiles)} forget and retain profiles",
            found=f"none for ID {', '.join(missing[:3])}",
            remedy=REMEDY,
        )
    return lessons


def without_image(pairs: list[tuple[str, str]], person: str) -> list[tuple[str, str]]:
    """Return the pairs that make sense without the image: those that name the person.

    If no question names the person, all are kept: asking about "this person" beats not asking.
    """
    name = _words(person)
    return [pair for pair in pairs if name & _words(pair[0])] or pairs


def read_general(place: Place, evaluated: set[Path]) -> list[Record]:
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
            raise wrong(f"{where}, image", "an image, or text_only", None)
        if image in evaluated:
            raise wrong(f"{where}, image", "an image that is not evaluated", image)
        key = text(row["ID"], f"{where}, ID")
        records += [
            _record(f"mllmu/general/{key}/pair/{n}", pair, "", image)
            for n, pair in enumerate(_pairs(row["metadata"], where))
        ]
    return records


def _pairs(metadata: object, where: str) -> list[tuple[str, str]]:
    field = f"{where}, metadata"
    pairs = []
    for index, entry in enumerate(nested(metadata, list, field)):
        found = nested(entry, dict, f"{field}[{index}]")
        asked = text(found.get("Question"), f"{field}[{index}].Question")
        pairs.append((asked, text(found.get("Answer"), f"{field}[{index}].Answer")))
    if not pairs:
        raise wrong(field, "a list of questions and answers", metadata)
    return pairs


def _record(key: str, pair: tuple[str, str], person: str, image: Path | None) -> Record:
    return Record(key, Concept.FACT, *pair, image, person)


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))
