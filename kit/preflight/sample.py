"""The records that a method is tried on: two to forget and two to retain, with drawn pictures."""

import random
from pathlib import Path

from kit.benchmarks.records import Benchmark, Concept, Record, Split, by_id
from kit.smoke.drawing import paint
from kit.smoke.events import FICTITIOUS
from kit.smoke.people import people

TARGET = "both"


def sample(folder: Path) -> Benchmark:
    """Return a person and an event to forget, and a person and an event to retain.

    Two pictures show them: the person to be forgotten is in the one with the event to be retained,
    so that each record has another fact of its subject. The answers to be forgotten differ in
    length, so that a batch of two is padded.

    Args:
        folder: receives their pictures.
    """
    (forgotten, seen), (kept, unseen) = _pair(folder, 0), _pair(folder, 1)
    forget, retain = [forgotten, unseen], [kept, seen]
    split = Split(TARGET, tuple(r.id for r in forget), tuple(r.id for r in retain), {})
    records = by_id([*forget, *retain])
    return Benchmark("sample", records, tuple(records), {TARGET: split})


def _pair(folder: Path, number: int) -> list[Record]:
    person, event = people()[0][number], FICTITIOUS[number]
    picture = folder / f"{number}.png"
    paint(person, event, random.Random(number)).save(picture)
    return [
        Record(
            f"person {number}", Concept.PERSON, "Who is this person?", person.name, picture,
            person=person.name, event=event.name,
        ),
        Record(
            f"event {number}", Concept.EVENT, "What is happening in this image?",
            event.description, picture, person=person.name, event=event.name,
            keywords=event.keywords,
        ),
    ]  # fmt: skip
