"""A dataset in PEBench's layout, tiny: six people at four events, one image of each pair."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit.benchmarks import load
from kit.benchmarks.parquet import Place
from kit.benchmarks.records import Benchmark
from kit.errors import DataError
from kit.experiment.manifest import Manifest
from kit.experiment.manifest_file import load_manifest

PEOPLE = [f"Person Number{i}" for i in range(6)]
EVENTS = [f"event {i}" for i in range(4)]
HEADER = ["file", "name", "event", "description", "keywords"]
TOY = Path(__file__).with_name("experiment.toml")


def own_text() -> str:
    """Return the toy experiment, as the start of one's own."""
    return TOY.read_text(encoding="utf-8")


def rows() -> list[list[str]]:
    """Return the rows of PEBench.csv."""
    return [
        [f"images/{person}/{i}.png", person, event, f"doing {event}", f"doing; {event}"]
        for person in PEOPLE
        for i, event in enumerate(EVENTS)
    ]


def write_table(path: Path, header: list[str], table: list[list[str]], *, mark: str = "") -> None:
    """Write a CSV, and a file for each image it names; `mark` goes before the header."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.write(mark)
        csv.writer(stream).writerows([header, *table])
    for row in table:
        image = path.parent / row[0]
        if path.parent in image.resolve().parents:
            image.parent.mkdir(parents=True, exist_ok=True)
            image.write_bytes(b"an image")


def write_dataset(root: Path) -> Path:
    """Write the three tables, POPE's files and all images."""
    root.mkdir(parents=True, exist_ok=True)
    write_table(root / "PEBench.csv", HEADER, rows())
    real = [[f"real/{i}.png", f"Known{i} Face", "event 0", "doing", "doing"] for i in range(3)]
    write_table(root / "real.csv", HEADER, real)
    write_pope(root / "pope")
    general = [[f"general/{i}.png", f"Other{i} Face", "event 9", "being", "being", "sun", "yes"]
               for i in range(3)]  # fmt: skip
    write_table(root / "general.csv", [*HEADER, "object", "answer"], general)
    return root


def pope_lines() -> list[dict[str, Any]]:
    """Return the questions of one kind: four images, every second one has the object."""
    return [
        {"question_id": i + 1, "image": f"{i}.jpg", "text": "Is there a sun in the image?",
         "label": "no" if i % 2 else "yes"}
        for i in range(4)
    ]  # fmt: skip


def write_pope(root: Path) -> Path:
    """Write the three files of POPE and their images."""
    (root / "val2014").mkdir(parents=True)
    for kind in ("random", "popular", "adversarial"):
        lines = [json.dumps(line) + "\n" for line in pope_lines()]
        (root / f"coco_pope_{kind}.json").write_text("".join(lines), encoding="utf-8")
    for line in pope_lines():
        (root / "val2014" / line["image"]).write_bytes(b"an image")
    return root


def places(root: Path) -> dict[str, Place]:
    """Return where the one source lies."""
    return {"pebench": Place(root, root / "unpacked")}


def loaded(root: Path, **sections: dict[str, Any]) -> Benchmark:
    """Return what the loader makes of a dataset."""
    return load(manifest(**sections), places(root))


def rewritten(root: Path, change: Callable[[bytes], bytes]) -> Path:
    """Change the bytes of PEBench.csv; return the dataset."""
    path = root / "PEBench.csv"
    path.write_bytes(change(path.read_bytes()))
    return root


def replaced(
    root: Path, table: list[list[str]], header: list[str] = HEADER, *, mark: str = ""
) -> Path:
    """Write another PEBench.csv, and files for the images that it names; return the dataset."""
    write_table(root / "PEBench.csv", header, table, mark=mark)
    return root


def refused(root: Path, **sections: dict[str, Any]) -> DataError:
    """Return the error of a dataset that the loader refuses; it must be a whole one."""
    with pytest.raises(DataError) as caught:
        loaded(root, **sections)
    error = caught.value
    assert error.expected, "says what was expected"
    assert error.found is not None, "says what was found"
    assert error.remedy, "says what to do"
    return error


def manifest(**sections: dict[str, Any]) -> Manifest:
    """Return the toy experiment with a split for the tiny dataset; sections are updated."""
    document = load_manifest(TOY).resolved()
    document["split"] |= {"forget_percent": 30}  # 2 of 6 people, 1 of 4 events
    document["benchmark"] |= {"options": {}}
    for method in document["methods"]:
        method["options"] = {}  # the prompt's instruction, for example, is the default one
    for section, values in sections.items():
        document[section] |= values
    return Manifest.model_validate(document)
