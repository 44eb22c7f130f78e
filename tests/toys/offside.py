"""A dataset in OFFSIDE's published format, tiny: three players and three facts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from kit.benchmarks import load
from kit.benchmarks.offside.entries import FOLDER
from kit.benchmarks.parquet import Place
from kit.benchmarks.records import Benchmark
from kit.experiment.manifest import Manifest
from kit.experiment.manifest_file import load_manifest
from tests.toys.mllmu import MANIFESTS

NAMES = ("Ann Lee", "Bo Day", "Cy Fox")
ASKED = {
    "name": "What is the name of the player in the image?",
    "foot": "Which foot does the player in the image use?",
    "fee": "What was the transfer fee for the player in the image?",
}
Sets = dict[str, list[dict[str, Any]]]


def sets() -> Sets:
    """Return the entries of every file; image n of a player costs n euros."""
    made: Sets = {}
    for player, name in enumerate(NAMES):
        for place in range(4):
            number = 5 * player + place + 1
            for kind in ("forget",) if place == 3 else ("retain", "test"):
                file = f"photos/{number}{'b' if kind == 'test' else ''}.png"
                facts = {"name": f"{name}.", "foot": "Left.", "fee": f"{number} euros."}
                made.setdefault(f"{kind}_set", []).extend(
                    {
                        "messages": [
                            {"role": "user", "content": f"<image>{ASKED[fact]}"},
                            {"role": "assistant", "content": answer},
                        ],
                        "images": file,
                    }
                    for fact, answer in facts.items()
                )
                made.setdefault(f"classification_{kind}_set", []).extend(
                    {
                        "Question": ASKED[fact],
                        "Options": {"A": "nothing", "B": answer, "C": "all", "D": "some"},
                        "Correct_Answer": "B",
                        "images": file,
                    }
                    for fact, answer in facts.items()
                )
    return made


def write(root: Path, made: Sets) -> dict[str, Place]:
    """Write the files of some sets, and the images that they name."""
    for name, entries in made.items():
        path = root / FOLDER / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(entries), encoding="utf-8")
        for file in {str(entry["images"]) for entry in entries if entry.get("images")}:
            image = root / "images" / Path(file).name
            image.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (2, 2), "red" if "b" in file else "blue").save(image)
    return {"offside": Place(root, root)}


def loaded(
    root: Path, change: Callable[[Sets], Any] = lambda made: None, **sections: dict[str, Any]
) -> Benchmark:
    """Return the benchmark of the sets after `change`; sections of the manifest are updated."""
    made = sets()
    places = write(root, made)
    change(made)
    for name, entries in made.items():
        (root / FOLDER / f"{name}.json").write_text(json.dumps(entries), encoding="utf-8")
    return load(manifest(**sections), places)


def manifest(**sections: dict[str, Any]) -> Manifest:
    """Return the small manifest; sections are updated."""
    document = load_manifest(MANIFESTS / "offside-smoke.toml").resolved()
    for section, values in sections.items():
        document[section] |= values
    return Manifest.model_validate(document)
