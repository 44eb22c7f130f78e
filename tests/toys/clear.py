"""A dataset in CLEAR's published format, tiny: five people, two pictures and two questions each."""

import io
import shutil
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

PEOPLE = ["Ann Alpha", "Ben Beta", "Cas Gamma", "Dee Delta", "Eve Epsilon"]
CLEAR_SMOKE = Path(__file__).parents[2] / "manifests" / "clear-smoke.toml"
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
Rows = list[dict[str, Any]]


def picture(key: str) -> dict[str, Any]:
    """Return an image cell; each key gives other bytes."""
    stream = io.BytesIO()
    colour = tuple(key.encode().rjust(3)[-3:])
    Image.new("RGB", (2, 2), colour).save(stream, "png")
    return {"bytes": stream.getvalue(), "path": f"{key}.png"}


def seen(name: str) -> Rows:
    """Return the image rows of a person."""
    return [
        {"image": picture(f"{name[0]}{i}"), "caption": f"{name} in place {i}.", "name": name}
        for i in range(2)
    ]


def perturbed(row: dict[str, Any]) -> dict[str, Any]:
    """Return an image row with its perturbations."""
    return {
        **row,
        "paraphrased_caption": f"In a place: {row['caption']}",
        "perturbed_captions": [f"{row['caption'][:-1]}, {word}." for word in ("sad", "old")],
        "perturbed_names": ["Zed Zeta", "Yan Ypsilon"],
    }


def asked(name: str) -> Rows:
    """Return the text rows of a person, as `+tofu` configurations have them."""
    return [
        {"image": None, "caption": None, "question": f"Where is {name}?", "answer": "In Rome."},
        {"image": None, "caption": None, "question": "Who writes?", "answer": f"{name} writes."},
    ]


def both(people: list[str]) -> tuple[Rows, Rows]:
    """Return an image configuration and its `+tofu` companion."""
    images = [row for name in people for row in seen(name)]
    mixed = [{k: row[k] for k in ("image", "caption")} | _NOTHING for row in images]
    return images, [*mixed, *(row for name in people for row in asked(name))]


_NOTHING = {"question": None, "answer": None}


def tables() -> dict[str, Rows]:
    """Return the rows of every configuration; the last person is to be forgotten."""
    made: dict[str, Rows] = {}
    for config, people in {
        "full": PEOPLE, "forget10": PEOPLE[4:], "retain90": PEOPLE[:4],
        "forget05": PEOPLE[4:], "retain95": PEOPLE[:4],
    }.items():  # fmt: skip
        made[config], made[f"{config}+tofu"] = both(people)
    for config in ("forget10", "forget05"):
        made[f"{config}_perturbed"] = [perturbed(row) for row in made[config]]
    made["retain_perturbed"] = [perturbed(row) for row in made["retain90"][:4]]
    made["real_faces"] = [
        {"image": picture(f"f{i}"), "question": "Who is it?", "answer": f"Known {i}",
         "options": ["Known 0", "Known 1", "Known 2"]}
        for i in range(3)
    ]  # fmt: skip
    made["real_world"] = [
        {"image": picture(f"w{i}"), "question": "What is it?", "answer": "a cat",
         "options": ["a cat", "a dog"]}
        for i in range(3)
    ]  # fmt: skip
    return made


def general() -> Rows:
    """Return rows to rehearse; the published data has none."""
    return [
        {"image": picture("g0"), "caption": "Gil at home.", "name": "Gil", "question": None,
         "answer": None},
        {"image": None, "caption": None, "name": "Gil", "question": "Who?", "answer": "Gil."},
        {"image": picture("g1"), "caption": None, "name": None, "question": "What?",
         "answer": "sun"},
    ]  # fmt: skip


def write(root: Path, configs: dict[str, Rows]) -> Place:
    """Write the tables under `root`; columns have the types of their values."""
    for config, rows in configs.items():
        write_shards(root / config, [rows])
    return Place(root, root.with_name(f"{root.name}.images"))


def write_shards(folder: Path, shards: list[Rows]) -> None:
    """Write one configuration as several files."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, rows in enumerate(shards):
        columns = {
            name: pa.array([row.get(name) for row in rows], IMAGE if name == "image" else None)
            for name in dict.fromkeys(key for row in rows for key in row)
        }
        name = f"train-{number:05d}-of-{len(shards):05d}.parquet"
        pq.write_table(pa.table(columns), folder / name)


def unpacked(root: Path, configs: dict[str, Rows]) -> Place:
    """Write the tables and unpack their images."""
    place = write(root, configs)
    unpack(place)
    return place


class Reader:
    """Writes configurations into one folder, in place of what is there, and loads them."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __call__(self, configs: dict[str, Rows], **sections: dict[str, Any]) -> Benchmark:
        for folder in (self._root, self._root.with_name(f"{self._root.name}.images")):
            shutil.rmtree(folder, ignore_errors=True)
        return load(manifest(**sections), {"clear": unpacked(self._root, configs)})


def manifest(**sections: dict[str, Any]) -> Manifest:
    """Return the small CLEAR manifest without rehearsal; sections are updated."""
    document = load_manifest(CLEAR_SMOKE).resolved()
    document["finetune"]["rehearsal"] = 0.0
    for section, values in sections.items():
        document[section] |= values
    return Manifest.model_validate(document)
