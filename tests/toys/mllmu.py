"""A dataset in MLLMU-Bench's published format, tiny: ten people, four celebrities, 18 questions.

Every question holds its profile's ID between two hash signs, so that a test sees whom a prompt
shows and whom it asks about.
"""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from kit.benchmarks import load
from kit.benchmarks.parquet import Place
from kit.benchmarks.records import Benchmark
from kit.benchmarks.unpacking import unpack
from kit.experiment.manifest import Manifest
from kit.experiment.manifest_file import load_manifest

MANIFESTS = Path(__file__).parents[2] / "manifests"
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
IDS = [str(number) for number in range(1, 11)]
FORGOTTEN = {5: ["3"], 10: ["3", "7"], 15: ["3", "7", "5"]}
FAMOUS = ["1", "2", "3", "4"]  # their IDs begin again
Row = dict[str, Any]
Files = list[list[Row]]


def person(key: str) -> str:
    """Return the name of a fictitious person."""
    return f"Person{key} Toy"


def picture(*numbers: int) -> Row:
    """Return an image cell; other numbers (up to three) give other bytes."""
    stream = io.BytesIO()
    Image.new("RGB", (2, 2), (*numbers, 0, 0)[:3]).save(stream, "png")
    return {"bytes": stream.getvalue(), "path": "picture.png"}


def profile(key: str, name: str, image: Row) -> Row:
    """Return one row: 5 + 5 choices, 2 + 2 free questions and 2 + 2 blanks."""
    options = {letter: f"option {letter.lower()}" for letter in "ABCD"}
    choices = {
        field: [
            {"Question": f"#{key}# {said} {n}?", "Options": dict(options), "Correct_Answer": "B"}
            for n in range(5)
        ]
        for field, said in (("Image_Textual_Questions", "sight"), ("Pure_Text_Questions", name))
    }
    return {
        "image": image,
        "ID": key,
        "biography": json.dumps({"Name": name, "Residence": "Toy Town"}),
        "question": "Who is it?",
        "answer": name,
        "Classification_Task": choices,
        "Generation_Task": _free(key, "?"),
        "Mask_Task": _free(key, " is __."),
    }


def _free(key: str, ending: str) -> list[Row]:
    return [
        {"Question": f"#{key}# {said} {n}{ending}", "Ground_Truth": f"fact {n}", "Type": said}
        for said in ("Image_Textual", "Pure_Text")
        for n in range(2)
    ]


def tables() -> dict[str, Files]:
    """Return the rows of every configuration, file by file; no two rows share a cell."""

    def whole(keys: list[str]) -> Files:
        return [[profile(key, person(key), picture(int(key))) for key in keys]]

    made = {"Full_Set": whole(IDS), "Test_Set": [_tested(IDS[:5]), _tested(IDS[5:])]}
    made["Retain_Set"] = [[profile(k, f"famous{k}", picture(int(k), 99)) for k in FAMOUS]]
    made["ft_Data"] = [
        [
            {"image": picture(int(key)), "ID": key, "metadata": json.dumps(lessons(key))}
            for key in IDS
        ]
    ]
    for percent, keys in FORGOTTEN.items():
        made[f"forget_{percent}"] = whole(keys)
        made[f"retain_{100 - percent}"] = whole([key for key in IDS if key not in keys])
    return made


def lessons(key: str) -> list[Row]:
    """Return the pairs of a person: one that needs the picture, one that names them."""
    return [
        {"Question": "Where is this one?", "Answer": f"In town {key}."},
        {"Question": f"What does {person(key)} do?", "Answer": "Sleep."},
    ]


def _tested(keys: list[str]) -> list[Row]:
    rows = []
    for key in keys:
        row = profile(key, person(key), {})
        del row["image"]
        rows.append({"images": [picture(int(key), 50, n) for n in range(4)], **row})
    return rows


def write(root: Path, made: dict[str, Files]) -> dict[str, Place]:
    """Write the tables under `root`, in place of what is there, and unpack their images."""
    place = Place(root, root.with_name(f"{root.name}.images"))
    for folder in (place.path, place.images):
        shutil.rmtree(folder, ignore_errors=True)
    kinds = {"image": IMAGE, "images": pa.list_(IMAGE)}
    for config, files in made.items():
        (root / config).mkdir(parents=True)
        for number, rows in enumerate(files):
            columns = {
                name: pa.array([row.get(name) for row in rows], kinds.get(name))
                for name in dict.fromkeys(key for row in rows for key in row)
            }
            name = f"train-{number:05d}-of-{len(files):05d}.parquet"
            pq.write_table(pa.table(columns), root / config / name)
    unpack(place)
    return {"mllmu": place}


def loaded(
    root: Path,
    change: Callable[[dict[str, Files]], Any] = lambda made: None,
    **sections: dict[str, Any],
) -> Benchmark:
    """Return the benchmark of the tables after `change`; sections of the manifest are updated."""
    made = tables()
    change(made)
    return load(manifest(**sections), write(root, made))


def manifest(**sections: dict[str, Any]) -> Manifest:
    """Return the small manifest at 10 %, without rehearsal and options; sections are updated."""
    document = load_manifest(MANIFESTS / "mllmu-smoke.toml").resolved()
    document["finetune"]["rehearsal"] = 0.0
    document["split"]["forget_percent"] = 10
    document["benchmark"]["options"] = {}
    for section, values in sections.items():
        document[section] |= values
    return Manifest.model_validate(document)
