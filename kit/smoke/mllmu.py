"""Write the embedded people in MLLMU-Bench's published format (arXiv 2410.22108).

Each configuration is a folder of parquet files with the images inside. Column names and types, the
names of files, nesting, the misleading name of the celebrities' set, their colliding IDs, the
spelling of biographies and odd answers (`kit.smoke.mllmu_oddities`) are as published. Two things
differ: a person has several rows, one per rendering, so that every column has enough questions; and
there is an additional configuration, `general`.
"""

import io
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kit.smoke.drawing import paint
from kit.smoke.events import FAMILIAR, FICTITIOUS, Event
from kit.smoke.mllmu_oddities import odd_pairs, odd_profile
from kit.smoke.mllmu_questions import FACTS, facts_of, general_pairs, lessons, tasks
from kit.smoke.people import READ_ABOUT, REAL_COUNT, SEED, Person, people

ROWS = 9  # per fictitious person: the smallest column has 2 questions x 9 rows x 3 people = 54
CELEBRITY_ROWS = 3  # per person
TEST_IMAGES = 3  # per row
TEST_SHIFT = 7  # rows: questions of the Test set have other wordings than those of fine-tuning
GENERAL_ROWS = 4  # per person
FORGET = {5: 1, 10: 2, 15: 3}  # percent -> number of the 20 people

_TEXT = pa.string()
_IMAGE = pa.struct({"bytes": pa.binary(), "path": _TEXT})
_OPTIONS = pa.struct(dict.fromkeys("ABCD", _TEXT))
_CHOICES = pa.list_(pa.struct({"Correct_Answer": _TEXT, "Options": _OPTIONS, "Question": _TEXT}))
_FREE = pa.list_(pa.struct({"Ground_Truth": _TEXT, "Question": _TEXT, "Type": _TEXT}))
_BIOGRAPHY = {"biography": _TEXT, "question": _TEXT, "answer": _TEXT}
_TASKS = {
    "Classification_Task": pa.struct(
        {"Image_Textual_Questions": _CHOICES, "Pure_Text_Questions": _CHOICES}
    ),
    "Generation_Task": _FREE,
    "Mask_Task": _FREE,
}
PROFILES = pa.schema({"image": _IMAGE, "ID": _TEXT, **_BIOGRAPHY, **_TASKS})
# Of Full_Set and Retain_Set.
WHOLE = pa.schema({"image": _IMAGE, "ID": _TEXT, "Directory": _TEXT, **_BIOGRAPHY, **_TASKS})
# Without biographies: Test_Set names nobody.
TESTS = pa.schema({"images": pa.list_(_IMAGE), "ID": _TEXT, **_TASKS})
LESSONS = pa.schema({"image": _IMAGE, "ID": _TEXT, "metadata": _TEXT})
GENERAL = pa.schema({**{field.name: field.type for field in LESSONS}, "text_only": pa.bool_()})

Row = dict[str, Any]  # values that pyarrow converts


def write_mllmu(root: Path) -> None:
    """Draw the images and write the tables under `root`; the bytes depend only on the packages."""
    fictitious, familiar = people()
    rows = [
        (person, f"{ROWS * number + rendering + 1:03}", rendering)
        for number, person in enumerate(fictitious)
        for rendering in range(ROWS)
    ]
    profiles = {
        key: odd_profile(_profile(person, key, r, "full", fictitious)) for person, key, r in rows
    }
    _write(root, "Full_Set", WHOLE, profiles.values())
    order = random.Random(f"{SEED}/mllmu/forget").sample(fictitious, len(fictitious))
    for percent, count in FORGET.items():
        names = {person.name for person in order[:count]}
        chosen = {key for person, key, _ in rows if person.name in names}
        for name, kept in ((f"forget_{percent}", True), (f"retain_{100 - percent}", False)):
            part = [row for key, row in profiles.items() if (key in chosen) is kept]
            _write(root, name, PROFILES, part)
    tests = [_test(person, key, r, fictitious) for person, key, r in rows]
    half = len(tests) // 2
    _write(root, "Test_Set", TESTS, tests[:half], tests[half:])
    taught = [
        {
            "image": profiles[key]["image"],
            "ID": key,
            "metadata": json.dumps(odd_pairs(lessons(person, r), key)),
        }
        for person, key, r in rows
    ]
    _write(root, "ft_Data", LESSONS, taught)
    known = familiar[:REAL_COUNT]
    real = [(person, r) for person in known for r in range(CELEBRITY_ROWS)]
    # IDs start at 1 again, as in the published data.
    celebrities = [
        _profile(person, f"{n:03}", r, "real", known) for n, (person, r) in enumerate(real, 1)
    ]
    _write(root, "Retain_Set", WHOLE, celebrities)
    _write(root, "general", GENERAL, _general(familiar[:READ_ABOUT]))


def _profile(
    person: Person, key: str, rendering: int, purpose: str, others: tuple[Person, ...]
) -> Row:
    event = (FAMILIAR if purpose == "real" else FICTITIOUS)[rendering]
    # The Test set asks the same questions in other wordings.
    row = rendering + TEST_SHIFT if purpose == "test" else rendering
    name = f"{purpose}/{int(key)}"
    image = _image(person, event, name)
    return {
        "image": image,
        "ID": key,
        "Directory": image["path"],
        "biography": _biography(person, str(int(key))),
        "question": "Who is this person?",
        "answer": person.name,
        **tasks(person, row, name, others),
    }


def _test(person: Person, key: str, rendering: int, others: tuple[Person, ...]) -> Row:
    row = _profile(person, key, rendering, "test", others)
    del row["image"]
    # Scenes that fine-tuning does not see: only the person is the same.
    number = int(key)
    scenes = random.Random(f"{SEED}/mllmu/test scenes/{number}").sample(FAMILIAR, TEST_IMAGES)
    images = [_image(person, scene, f"test/{number}/{n}") for n, scene in enumerate(scenes)]
    return {"images": images, **row}


def _general(chosen: tuple[Person, ...]) -> list[Row]:
    rows: list[Row] = []
    for number, person in enumerate(chosen):
        for rendering in range(GENERAL_ROWS):
            key = f"{number}-{rendering}"
            scene = random.Random(f"{SEED}/mllmu/general scene/{key}").choice(FAMILIAR)
            image = _image(person, scene, f"general/{key}")
            for text_only in (False, True):
                # Rehearse only facts of the celebrities: their questions are used for evaluation.
                forms = number >= REAL_COUNT
                pairs = general_pairs(person, rendering, chosen, text_only=text_only, forms=forms)
                rows.append(
                    {
                        "image": None if text_only else image,
                        "ID": f"{key}-{'text' if text_only else 'image'}",
                        "metadata": json.dumps(pairs),
                        "text_only": text_only,
                    }
                )
    return rows


def _biography(person: Person, key: str) -> str:
    """Return the facts as JSON; the spelling of keys varies by row, as in the published data."""
    facts = {
        "Name": person.name,
        "Gender": person.gender,
        "Employment": person.job,
        "Residence": person.area,
        "Fun Facts": ", ".join(f"{fact} {facts_of(person)[fact]}" for fact in FACTS),
        "Description": person.appearance,
    }
    ending = random.Random(f"{SEED}/mllmu/spelling/{key}").choice(("", ":", " :", ": "))
    return json.dumps({f"{name}{ending}": value for name, value in facts.items()})


def _image(person: Person, event: Event, name: str) -> Row:
    image = paint(person, event, random.Random(f"{SEED}/mllmu/{name}"))
    stream = io.BytesIO()
    # Uncompressed, so that the bytes do not depend on the version of a compressor.
    image.save(stream, "png", compress_level=0)
    return {"bytes": stream.getvalue(), "path": f"{name.replace('/', '-')}.png"}


def _write(root: Path, config: str, schema: pa.Schema, *files: Iterable[Row]) -> None:
    """Write a configuration, one file for each element of `files`.

    Plain encoding without compression, statistics or pandas metadata makes the bytes independent of
    the machine. pyarrow writes its version into the file; the environment locks that version, and
    the checksum list detects any other.
    """
    folder = root / config
    folder.mkdir(parents=True)
    for number, rows in enumerate(files):
        path = folder / f"train-{number:05d}-of-{len(files):05d}.parquet"
        pq.write_table(
            pa.Table.from_pylist(list(rows), schema=schema),
            path,
            version="2.6",
            compression="none",
            use_dictionary=False,
            write_statistics=False,
            store_schema=False,
            row_group_size=64,
        )
