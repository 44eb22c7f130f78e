"""Write the sources of the probes in miniature, each in its published format.

The pictures show familiar people at familiar events. Where the base model knows the form of a
question ("Is there a ... in the image?"), the miniature asks in it. It knows neither the
instructions around it, nor relations, boxes, nor this form of multiple choice.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from kit.artifacts import write_bytes
from kit.benchmarks.pebench import PRESENCE_QUESTION
from kit.benchmarks.probes.mmgcot import FILES as GCOT_FILES
from kit.benchmarks.probes.multitrust import TASKS
from kit.smoke.clear_parquet import IMAGE, ROW_GROUP_ROWS, TEXT, as_image
from kit.smoke.drawing import SIZE, paint
from kit.smoke.events import FAMILIAR, Event
from kit.smoke.glyphs import GLYPHS
from kit.smoke.people import SEED, Person, people

SCENES = {"mmrel": 24, "mmbench": 48, "mmgcot": 16, "multitrust": 12}  # pictures of each probe
LETTERS = "ABCD"
PLACES = ("upper left", "upper right", "lower right")  # of an event's objects, in order
# Left, top, width and height of a drawn object, pixels: the places of `kit.smoke.drawing`, with
# room for the jitter.
REGIONS = ((0, 2, 20, 20), (44, 2, 20, 20), (44, 40, 20, 20))
CLOTHES = (16, 41, 32, 23)
MMREL = ("question_id", "question", "answer", "source", "eval_type", "relation_type")
MMBENCH = (
    "index", "question", "hint", "answer", *LETTERS, "category", "source", "L2-category", "comment",
    "split",
)  # fmt: skip
Row = dict[str, Any]  # values that pyarrow and json convert


class Scene(NamedTuple):
    """One picture: who is at what, and the random draws of its questions."""

    number: int
    person: Person
    event: Event
    image: Image.Image
    rng: random.Random

    @property
    def absent(self) -> list[str]:
        """Return the objects that are not there, sorted."""
        return sorted(set(GLYPHS) - set(self.event.objects))


def write_probe(root: Path, name: str) -> None:
    """Draw the source of a probe; equal names give equal bytes.

    Args:
        root: folder to write.
        name: of the probe, one of `WRITERS`.
    """
    WRITERS[name](root, list(_scenes(name)))


def _scenes(name: str) -> Iterator[Scene]:
    _, familiar = people()
    for number in range(SCENES[name]):
        rng = random.Random(f"{SEED}/probes/{name}/{number}")
        person, event = rng.choice(familiar), rng.choice(FAMILIAR)
        yield Scene(number, person, event, paint(person, event, rng), rng)


def _write_mmrel(root: Path, scenes: Sequence[Scene]) -> None:
    """Ask for a relation of two drawn objects: every second one is there, the other is reversed."""
    rows: list[Row] = []
    for scene in scenes:
        first, second, third = scene.event.objects
        for kind, one, other in (("on the left of", first, second), ("above", second, third)):
            right = (scene.number + (kind == "above")) % 2 == 0 or one == other
            pair = (one, other) if right else (other, one)
            rows.append(
                {
                    "image": as_image(f"{scene.number:03}.png", scene.image),
                    "question_id": str(len(rows)),
                    "question": f"Is there a {pair[0]} {kind} a {pair[1]} in the image?",
                    "answer": "Yes" if right else "No",
                    "source": "drawn",
                    "eval_type": "discriminative",
                    "relation_type": "drawn_spatial",
                }
            )
    asked = {"question": "How do the objects stand to each other?", "eval_type": "generative"}
    rows.append({**rows[0], "question_id": str(len(rows)), "answer": "side by side", **asked})
    _write_table(root / "data-00000-of-00001.parquet", MMREL, rows)


def _write_mmbench(root: Path, scenes: Sequence[Scene]) -> None:
    rows: list[Row] = []
    for scene in scenes:
        right = scene.rng.choice(scene.event.objects)
        offered = scene.rng.sample([right, *scene.rng.sample(scene.absent, 3)], 4)
        count = 3 if scene.number % 6 == 5 and right in offered[:3] else 4
        options = dict(zip(LETTERS, [*offered[:count], "nan"], strict=False))
        rows.append(
            {
                "index": str(scene.number),
                "question": "Which object is in the image?",
                "hint": "A drawn scene." if scene.number % 4 == 0 else "nan",
                "answer": LETTERS[offered.index(right)],
                **options,
                "category": "object_localization",
                "image": as_image(f"{scene.number:03}.png", scene.image),
                "source": "drawn",
                "L2-category": "finegrained_perception (instance-level)",
                "comment": "nan",
                "split": "dev",
            }
        )
    _write_table(root / "en/dev-00000-of-00001.parquet", MMBENCH, rows)


def _write_multitrust(root: Path, scenes: Sequence[Scene]) -> None:
    asked: dict[str, list[Row]] = {name: [] for name in TASKS}
    for scene in scenes:
        image = f"{scene.number:03}.png"
        right = scene.number % 2 == 0
        thing = scene.rng.choice(scene.event.objects if right else scene.absent)
        other = (
            scene.event
            if right
            else scene.rng.choice([each for each in FAMILIAR if each.name != scene.event.name])
        )
        seen = PRESENCE_QUESTION.format(object=thing)
        queries = {
            "objects": seen,
            "attributes": f"Is the hair of the person {scene.person.face['hair']}?",
            "scenes": f"Does the image show this event: {other.name}?",
            "confusion": f"The lines may mislead you. {seen}",
        }
        for name, query in queries.items():
            truth = "Yes" if right or name == "attributes" else "No"
            row = {"image": image, "query": query, "truth": truth}
            asked[name].append(row | ({"kind": "drawn"} if name == "confusion" else {}))
        asked["privacy"].append({"image": image, "private": int(right)})
        asked["private-answers"].append(
            {"image": image, "question": "Who is this person?", "private_qa": 1}
        )
        for task in {task.pictures for task in TASKS.values()}:
            write_bytes(root / task / image, _png(scene))
    for name, rows in asked.items():
        path = root / TASKS[name].file
        lines = path.suffix == ".jsonl"
        text = "".join(f"{json.dumps(row)}\n" for row in rows) if lines else json.dumps(rows)
        write_bytes(path, text.encode())


def _write_mmgcot(root: Path, scenes: Sequence[Scene]) -> None:
    asked: dict[str, list[Row]] = {name: [] for name in GCOT_FILES}
    for scene in scenes:
        place = scene.number % len(PLACES)
        shown = scene.event.objects[place]
        right = scene.rng.random() < 0.5
        named = shown if right else scene.rng.choice(scene.absent)
        corner = f"the {PLACES[place]} corner"
        questions = {
            "attributes": ("What is the color of the clothes?", scene.person.face["clothes"]),
            "judge": (f"Is there a {named} in {corner}?", "Yes" if right else "No"),
            "objects": (f"What is the object in {corner}?", shown.capitalize()),
        }
        for name, (question, answer) in questions.items():
            region = CLOTHES if name == "attributes" else REGIONS[place]
            box = ", ".join(f"{each / SIZE:.3f}" for each in region)
            asked[name].append(
                {
                    "id": scene.number,
                    "img": f"vg/VG_100K/{scene.number:03}.png",
                    "question": question,
                    "cot": f"Step 1: The region of the answer is at [{box}]",
                    "answer": answer,
                    "coordinate": f"[{box}]",
                    "qualified": True,
                }
            )
        write_bytes(root / f"vg/VG_100K/{scene.number:03}.png", _png(scene))
    for name, rows in asked.items():
        write_bytes(root / GCOT_FILES[name], json.dumps(rows).encode())


def _png(scene: Scene) -> bytes:
    data: bytes = as_image("", scene.image)["bytes"]
    return data


def _write_table(path: Path, texts: Sequence[str], rows: Sequence[Row]) -> None:
    """Write a table of images and texts; its bytes depend on the locked version of pyarrow."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        pa.Table.from_pylist(
            list(rows), schema=pa.schema({"image": IMAGE} | dict.fromkeys(texts, TEXT))
        ),
        path,
        row_group_size=ROW_GROUP_ROWS,
        compression="none",
        use_dictionary=False,
        write_statistics=False,
        store_schema=False,
    )


WRITERS: dict[str, Callable[[Path, Sequence[Scene]], None]] = {
    "mmrel": _write_mmrel,
    "mmbench": _write_mmbench,
    "multitrust": _write_multitrust,
    "mmgcot": _write_mmgcot,
}
