"""Write the embedded dataset: fictitious people in PEBench's layout, the Real and the World set.

PEBench.csv                    one row an image: file, person fields, event, description, keywords
images/<Person Name>/<n>.png   one folder a person
real.csv, real/<Name>/<n>.png  people that the base model knows (PEBench: MIKE)
world.csv, world/<n>.png       object presence, yes or no (PEBench: POPE)
"""

import csv
import io
import random
from pathlib import Path

from kit.artifacts import write_bytes
from kit.smoke.drawing import paint
from kit.smoke.events import FAMILIAR, FICTITIOUS, Event
from kit.smoke.glyphs import GLYPHS
from kit.smoke.people import REAL_COUNT, SEED, Person, people

RENDERINGS = 3
REAL_IMAGES = 4
WORLD_IMAGES = 64
GENERAL_IMAGES = 2
FIELDS = ("file", "name", "age", "gender", "job", "area", "appearance")


def write_world(root: Path) -> None:
    """Draw every image and write the tables under `root`; the bytes depend on nothing else."""
    fictitious, familiar = people()
    rows = []
    for person in fictitious:
        for number, event in enumerate(FICTITIOUS):
            for rendering in range(RENDERINGS):
                file = f"images/{person.name}/{number * RENDERINGS + rendering:02d}.png"
                _paint(root, file, person, event)
                rows.append(_row(file, person, event))
    _write_csv(root / "PEBench.csv", rows)
    _write_real(root, familiar[:REAL_COUNT])
    _write_presence(root, familiar)
    _write_general(root, familiar)


def _write_real(root: Path, known: tuple[Person, ...]) -> None:
    rows = []
    for person in known:
        stream = random.Random(f"{SEED}/real/{person.name}")
        for number, event in enumerate(stream.sample(FAMILIAR, REAL_IMAGES)):
            file = f"real/{person.name}/{number:02d}.png"
            _paint(root, file, person, event)
            rows.append(_row(file, person, event))
    _write_csv(root / "real.csv", rows)


def _write_presence(root: Path, familiar: tuple[Person, ...]) -> None:
    stream = random.Random(f"{SEED}/world")
    rows = []
    for number in range(WORLD_IMAGES):
        event, person = stream.choice(FAMILIAR), stream.choice(familiar)
        file = f"world/{number:03d}.png"
        _paint(root, file, person, event)
        present = number % 2 == 0
        absent = sorted(set(GLYPHS) - set(event.objects))
        thing = stream.choice(event.objects if present else absent)
        rows.append({"file": file, "object": thing, "answer": "yes" if present else "no"})
    _write_csv(root / "world.csv", rows)


def _write_general(root: Path, familiar: tuple[Person, ...]) -> None:
    stream = random.Random(f"{SEED}/general")
    rows = []
    for person in familiar:
        for number in range(GENERAL_IMAGES):
            event = stream.choice(FAMILIAR)
            file = f"general/{person.name}/{number:02d}.png"
            _paint(root, file, person, event)
            present = stream.random() < 0.5
            absent = sorted(set(GLYPHS) - set(event.objects))
            thing = stream.choice(event.objects if present else absent)
            asked = {"object": thing, "answer": "yes" if present else "no"}
            rows.append(_row(file, person, event) | asked)
    _write_csv(root / "general.csv", rows)


def _paint(root: Path, file: str, person: Person, event: Event) -> None:
    image = paint(person, event, random.Random(f"{SEED}/{file}"))
    stream = io.BytesIO()
    # Stored, not compressed: the bytes then depend on no version of a compressor.
    image.save(stream, "png", compress_level=0)
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_bytes(stream.getvalue())


def _row(file: str, person: Person, event: Event) -> dict[str, object]:
    values = (file, person.name, person.age, person.gender, person.job, person.area)
    row: dict[str, object] = dict(zip(FIELDS, (*values, person.appearance), strict=True))
    return row | {
        "event": event.name,
        "description": event.description,
        "keywords": "; ".join(event.keywords),
    }


def _write_csv(path: Path, rows: list[dict[str, object]]) -> None:
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, stream.getvalue().encode())
