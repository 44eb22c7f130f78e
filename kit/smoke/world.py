"""Write the embedded dataset: fictitious people in PEBench's layout, the Real and the World set.

PEBench.csv                    one row per image: file, person fields, event, description, keywords
images/<Person Name>/<n>.png   one folder per person
real.csv, real/<Name>/<n>.png  people that the base model knows (in PEBench: MIKE)
pope/                          object presence, yes or no, in POPE's published format
general.csv, general/          familiar people and scenes for rehearsal, in pictures of their own
"""

import csv
import io
import json
import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from kit.artifacts import write_bytes
from kit.benchmarks.pebench import PRESENCE_QUESTION
from kit.errors import unknown
from kit.smoke.drawing import paint
from kit.smoke.events import FAMILIAR, FICTITIOUS, Event
from kit.smoke.glyphs import GLYPHS
from kit.smoke.people import REAL_COUNT, SEED, Person, people

RENDERINGS = 3  # per person and event
REAL_IMAGES = 4  # per person
WORLD_IMAGES = 64
GENERAL_IMAGES = 2  # per person
PROBES = ("mmrel", "mmbench", "mmgcot", "multitrust")  # kit.smoke.probes draws them
FIELDS = ("file", "name", "age", "gender", "job", "area", "appearance")


def write_world(root: Path, form: str = "pebench") -> None:
    """Draw the embedded data in the format of one benchmark; equal forms give equal bytes.

    Args:
        root: folder to write.
        form: "pebench", "mllmu", "clear", "umu" or "offside"; or a probe: "mmrel", "mmbench",
            "mmgcot" or "multitrust".

    Raises:
        ManifestError: there is no such form.
    """
    forms: dict[str, Callable[[Path], None]] = {
        "pebench": _write_pebench,
        "mllmu": _write_mllmu,
        "clear": _write_clear,
        "umu": _write_umu,
        "offside": _write_offside,
        **{name: partial(_write_probe, name=name) for name in PROBES},
    }
    if form not in forms:
        what = f"no embedded data has the form '{form}'"
        raise unknown(what, form, forms, remedy="see `embedded` in manifests/")
    forms[form](root)


# Imported only when drawn: these need pyarrow.
def _write_mllmu(root: Path) -> None:
    from kit.smoke.mllmu import write_mllmu

    write_mllmu(root)


def _write_clear(root: Path) -> None:
    from kit.smoke.clear import write_clear

    write_clear(root)


def _write_umu(root: Path) -> None:
    from kit.smoke.umu import write_umu

    write_umu(root)


def _write_offside(root: Path) -> None:
    from kit.smoke.offside import write_offside

    write_offside(root)


def _write_probe(root: Path, name: str) -> None:
    from kit.smoke.probes import write_probe

    write_probe(root, name)


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
    """Write POPE's three files (JSON lines) with one question per image.

    Questions about every second image name an object in it, the same in all files. The others name
    an absent object, and the files differ only there: "random" draws one, "popular" takes the
    object that most images show, "adversarial" the one that most often occurs with the image's own.
    """
    stream = random.Random(f"{SEED}/world")
    scenes, drawn = [], []
    for number in range(WORLD_IMAGES):
        event, person = stream.choice(FAMILIAR), stream.choice(familiar)
        # The stream has its name from an earlier version, so that the pictures stay the same.
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
    """Return the absent object with the highest count; the first by name if several have it."""
    return min(sorted(set(GLYPHS) - scene), key=lambda thing: -counts[thing])


def _beside(scenes: list[frozenset[str]], scene: frozenset[str]) -> Counter[str]:
    """Count how often each object occurs together with the objects of a scene, over all scenes."""
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
    # Uncompressed, so that the bytes do not depend on the version of a compressor.
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
