"""A dataset in PEBench's layout, tiny: six people at four events, one image of each pair."""

import csv
from pathlib import Path
from typing import Any

from kit.manifest import Manifest
from kit.manifest_file import load_manifest

PEOPLE = [f"Person Number{i}" for i in range(6)]
EVENTS = [f"event {i}" for i in range(4)]
HEADER = ["file", "name", "event", "description", "keywords"]
SMOKE = Path(__file__).parents[1] / "manifests" / "smoke.toml"


def rows() -> list[list[str]]:
    """Return the rows of PEBench.csv."""
    return [
        [f"images/{person}/{i}.png", person, event, f"doing {event}", f"doing; {event}"]
        for person in PEOPLE
        for i, event in enumerate(EVENTS)
    ]


def write_table(path: Path, header: list[str], table: list[list[str]], *, mark: str = "") -> None:
    """Write a CSV, and an empty file for each image it names; `mark` goes before the header."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.write(mark)
        csv.writer(stream).writerows([header, *table])
    for row in table:
        image = path.parent / row[0]
        if path.parent in image.resolve().parents:
            image.parent.mkdir(parents=True, exist_ok=True)
            image.touch()


def write_dataset(root: Path) -> Path:
    """Write the four tables and their images."""
    write_table(root / "PEBench.csv", HEADER, rows())
    real = [[f"real/{i}.png", f"Known{i} Face", "event 0", "doing", "doing"] for i in range(3)]
    write_table(root / "real.csv", HEADER, real)
    world = [[f"world/{i}.png", "sun", "yes" if i % 2 else "no"] for i in range(4)]
    write_table(root / "world.csv", ["file", "object", "answer"], world)
    general = [[f"general/{i}.png", f"Other{i} Face", "event 9", "being", "being", "sun", "yes"]
               for i in range(3)]  # fmt: skip
    write_table(root / "general.csv", [*HEADER, "object", "answer"], general)
    return root


def manifest(**sections: dict[str, Any]) -> Manifest:
    """Return the smoke manifest with a split for the tiny dataset; sections are updated."""
    document = load_manifest(SMOKE).resolved()
    document["split"] |= {"forget_people": 2, "forget_events": 1}
    for section, values in sections.items():
        document[section] |= values
    return Manifest.model_validate(document)
