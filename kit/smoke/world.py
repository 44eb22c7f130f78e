"""Write the embedded dataset: fictitious people in PEBench's layout, the Real and the World set.

PEBench.csv                    one row an image: file, person fields, event, description, keywords
images/<Person Name>/<n>.png   one folder a person
real.csv, real/<Name>/<n>.png  people that the base model knows (PEBench: MIKE)
pope/                          object presence, yes or no, in POPE's published format
general.csv, general/          people and scenes that are rehearsed and never asked
"""

import csv
import difflib
import io
import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from kit.artifacts import write_bytes
from kit.benchmarks.pebench import PRESENCE_QUESTION
from kit.errors import ManifestError
from kit.smoke.drawing import paint
from kit.smoke.events import FAMILIAR, FICTITIOUS, Event
from kit.smoke.glyphs import GLYPHS
from kit.smoke.people import REAL_COUNT, SEED, Person, people

RENDERINGS = 3
REAL_IMAGES = 4
WORLD_IMAGES = 64
GENERAL_IMAGES = 2
FIELDS = ("file", "name", "age", "gender", "job", "area", "appearance")


def write_world(root: Path, form: str = "pebench") -> None:
    """Draw the embedded data of one published form under `root`; its bytes depend on nothing else.

    Raises:
        ManifestError: there is no such form; the nearest one is named.
    """
    forms: dict[str, Callable[[Path], None]] = {
        "pebench": _write_pebench,
        "mllmu": _write_mllmu,
        "clear": _write_clear,
    }
    if form not in forms:
        near = difflib.get_close_matches(form, forms, n=1)
        raise ManifestError(
            f"no embedded data has the form '{form}'",
            expected=f"one of {', '.join(forms)}",
            remedy=f"did you mean '{near[0]}'?" if near else "see `embedded` in manifests/",
        )
    forms[form](root)


# Only what is drawn is imported: the two below bring the parquet writer with them.
def _write_mllmu(root: Path) -> None:
    from kit.smoke.mllmu import write_mllmu

    write_mllmu(root)


def _write_clear(root: Path) -> None:
    from kit.smoke.clear import write_clear

    write_clear(root)


def _write_pebench(root: Path) -> None:
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
    _write_pope(root, familiar)
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


def _write_pope(root: Path, familiar: tuple[Person, ...]) -> None:
    """Write POPE's three files, JSON lines, with one question for each kind and image.

    Every second image is asked for an object that is there, drawn once for all kinds, so that the
    kinds differ in nothing but the absent object: one at random; "popular", the object that most
    images of this world show; "adversarial", the one most often beside what the image shows.
    """
    stream = random.Random(f"{SEED}/world")
    scenes, drawn = [], []
    for number in range(WORLD_IMAGES):
        event, person = stream.choice(FAMILIAR), stream.choice(familiar)
        # The name of the stream is that of earlier versions: the pictures stay the same.
        _paint(root, f"pope/val2014/{number:03d}.png", person, event, f"world/{number:03d}.png")
        scenes.append(frozenset(event.objects))
        absent = sorted(set(GLYPHS) - set(event.objects))
        drawn.append(stream.choice(event.objects if number % 2 == 0 else absent))
    shown = Counter(thing for scene in scenes for thing in scene)
    absent_object: dict[str, Callable[[int], str]] = {
        "random": lambda number: drawn[number],
        "popular": lambda number: _most(shown, scenes[number]),
        "adversarial": lambda number: _most(_beside(scenes, scenes[number]), scenes[number]),
    }
    for kind, choose in absent_object.items():
        lines = []
        for number in range(WORLD_IMAGES):
            present = number % 2 == 0
            thing = drawn[number] if present else choose(number)
            question = {
                "question_id": number + 1,
                "image": f"{number:03d}.png",
                "text": PRESENCE_QUESTION.format(object=thing),
                "label": "yes" if present else "no",
            }
            lines.append(json.dumps(question) + "\n")
        write_bytes(root / f"pope/coco_pope_{kind}.json", "".join(lines).encode())


def _most(counts: Counter[str], scene: frozenset[str]) -> str:
    """Return the object with the highest count that a scene has not, the first by name of equals.

    An object that no image shows counts nothing.
    """
    return min(sorted(set(GLYPHS) - scene), key=lambda thing: -counts[thing])


def _beside(scenes: list[frozenset[str]], scene: frozenset[str]) -> Counter[str]:
    """Count how often each object stands beside what a scene shows, over all scenes."""
    found: Counter[str] = Counter()
    for other in scenes:
        for thing in other:
            found[thing] += len(scene & other)
    return found


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


def _paint(root: Path, file: str, person: Person, event: Event, stream_name: str = "") -> None:
    image = paint(person, event, random.Random(f"{SEED}/{stream_name or file}"))
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
