"""The embedded world in CLEAR's published format: the same configurations and columns, but small.

There are 20 people: forget10 is the last two of them, forget05 and forget01 are both the last one.
Each person has 26 pictures and 28 text-only questions, so that forget10 has more than 50 records in
every column. The configuration `general` is an addition to CLEAR: familiar people, for rehearsal.

As published, `real_faces` has no column `question`, and one row of forget10 has no perturbations.
Two rows are odd, and the loader leaves them out: the first person has a picture without a caption,
and a question about the world has no options.
"""

import random
from collections.abc import Iterable
from pathlib import Path

from kit.smoke.clear_parquet import Cells, as_image, write_config
from kit.smoke.clear_texts import EVENT_WORDS, caption, questions, rewordings
from kit.smoke.drawing import paint
from kit.smoke.events import FAMILIAR, FICTITIOUS, Event
from kit.smoke.people import REAL_COUNT, SEED, Person, people

PICTURES = 26  # per person
REAL_PICTURES = 4  # per person
WORLD_PICTURES = 64
RETAIN_ROWS = 4  # per person in retain_perturbed
READ_ABOUT = 4  # familiar people whose text-only questions are rehearsed
OPTIONS = 4
OBJECTS_QUESTION = "Which objects are there?"  # the base model learnt it (kit.smoke.curriculum)
FORGOTTEN = {"10": 2, "05": 1, "01": 1}
RETAIN = {"10": "90", "05": "95", "01": "99"}


def write_clear(root: Path) -> None:
    """Write every configuration under `root`; the bytes depend only on the locked packages."""
    fictitious, familiar = people()
    album = {person.name: _album(person) for person in fictitious}
    text = {person.name: questions(person) for person in fictitious}
    _write_both(root, "full", fictitious, album, text)
    for percent, count in FORGOTTEN.items():
        kept, forgotten = fictitious[:-count], fictitious[-count:]
        _write_both(root, f"forget{percent}", forgotten, album, text)
        _write_both(root, f"retain{RETAIN[percent]}", kept, album, text)
        rows = [
            _add_perturbations(row, person, kept)
            for person in forgotten
            for row in album[person.name]
        ]
        # Published are 378 perturbed rows for 379 rows of forget10, and as many as rows elsewhere.
        missing = 1 if percent == "10" else 0
        write_config(root, f"forget{percent}_perturbed", "perturbed", rows[: len(rows) - missing])
    everywhere = fictitious[: -max(FORGOTTEN.values())]
    rows = [
        _add_perturbations(row, person, everywhere)
        for person in everywhere
        for row in album[person.name][:RETAIN_ROWS]
    ]
    write_config(root, "retain_perturbed", "perturbed", rows)
    write_config(root, "real_faces", "faces", list(_real_faces(familiar[:REAL_COUNT])))
    write_config(root, "real_world", "asked", list(_real_world(familiar)))
    write_config(root, "general", "general", list(_general(familiar)))


def _write_both(
    root: Path,
    config: str,
    chosen: Iterable[Person],
    album: dict[str, list[Cells]],
    text: dict[str, list[tuple[str, str]]],
) -> None:
    """Write a configuration with images and its `+tofu` counterpart."""
    names = [person.name for person in chosen]
    seen = [row for name in names for row in album[name]]
    if (first := next(iter(album))) in names:
        seen.append({**album[first][0], "caption": None})
    write_config(root, config, "seen", seen)
    asked: list[Cells] = [
        {"question": question, "answer": answer}
        for name in names
        for question, answer in text[name]
    ]
    write_config(root, f"{config}+tofu", "tofu", [*seen, *asked])


def _album(person: Person) -> list[Cells]:
    """Return the captioned pictures of a person, cycling through the events."""
    rows: list[Cells] = []
    for number in range(PICTURES):
        event = FICTITIOUS[number % len(FICTITIOUS)]
        image = _picture(f"people/{person.name}/{number:02d}", person, event)
        text = caption(person, EVENT_WORDS[event.name])
        rows.append({"image": image, "caption": text, "name": person.name, "event": event.name})
    return rows


def _add_perturbations(row: Cells, person: Person, others: tuple[Person, ...]) -> Cells:
    """Add a paraphrase, three wrong captions, and the names of three people of the retain set."""
    stream = random.Random(f"{SEED}/clear/perturbed/{row['image']['path']}")
    paraphrase, wrong = rewordings(person, str(row["event"]), stream)
    names = stream.sample([other.name for other in others if other.name != person.name], 3)
    return {
        **row,
        "paraphrased_caption": paraphrase,
        "perturbed_captions": wrong,
        "perturbed_names": names,
    }


def _real_faces(known: tuple[Person, ...]) -> Iterable[Cells]:
    names = [person.name for person in known]
    for person in known:
        stream = random.Random(f"{SEED}/clear/real/{person.name}")
        for number, event in enumerate(stream.sample(FAMILIAR, REAL_PICTURES)):
            others = [name for name in names if name != person.name]
            yield {
                "image": _picture(f"real/{person.name}/{number:02d}", person, event),
                "answer": person.name,
                "options": _options(person.name, others, stream),
            }


def _real_world(familiar: tuple[Person, ...]) -> Iterable[Cells]:
    """Yield pictures with a question about their objects; wrong options come from other scenes.

    The last row repeats the one before it, without options.
    """
    stream = random.Random(f"{SEED}/clear/world")
    scenes = sorted({_objects(event) for event in FAMILIAR})
    for number in range(WORLD_PICTURES):
        event, person = stream.choice(FAMILIAR), stream.choice(familiar)
        others = [scene for scene in scenes if sorted(scene.split()) != sorted(event.objects)]
        row = {
            "image": _picture(f"world/{number:03d}", person, event),
            "question": OBJECTS_QUESTION,
            "answer": _objects(event),
            "options": _options(_objects(event), others, stream),
        }
        yield row
    yield {**row, "options": []}


def _general(familiar: tuple[Person, ...]) -> Iterable[Cells]:
    """Yield one picture of each familiar person with its objects, and facts about some people."""
    stream = random.Random(f"{SEED}/clear/general")
    for person in familiar:
        event = stream.choice(FAMILIAR)
        yield {
            "image": _picture(f"general/{person.name}", person, event),
            "caption": caption(person, event.description),
            "name": person.name,
            "question": OBJECTS_QUESTION,
            "answer": _objects(event),
        }
    for person in familiar[REAL_COUNT : REAL_COUNT + READ_ABOUT]:
        for question, answer in questions(person):
            yield {"name": person.name, "question": question, "answer": answer}


def _options(answer: str, others: list[str], stream: random.Random) -> list[str]:
    return stream.sample([answer, *stream.sample(others, OPTIONS - 1)], OPTIONS)


def _objects(event: Event) -> str:
    return " ".join(event.objects)


def _picture(key: str, person: Person, event: Event) -> Cells:
    return as_image(f"{key}.png", paint(person, event, random.Random(f"{SEED}/clear/{key}")))
