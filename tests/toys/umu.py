"""A dataset in UMU-Bench's published format, tiny: ten people, four real people, two facts each."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kit.benchmarks import load
from kit.benchmarks.parquet import Place
from kit.benchmarks.records import Benchmark
from kit.experiment.manifest import Manifest
from kit.experiment.manifest_file import load_manifest
from tests.toys import mllmu
from tests.toys.mllmu import FORGOTTEN, IDS, MANIFESTS, Files, Row, person, picture

REAL = ["1", "2", "3", "4"]  # their IDs begin again
FACTS = ("Job", "Pet")
PRESENT = ("art", "boats", "cats", "dogs")


def profile(key: str, name: str, image: Row) -> Row:
    """Return one row: a choice, a blank and a free question of each fact, in both modalities."""

    def task(ending: str, **more: Any) -> str:
        return repr(
            {
                modality: {
                    fact: {"question": f"{fact} of {who}{ending}", "answer": "B. boats", **more}
                    for fact in FACTS
                }
                for modality, who in (("unimodal", name), ("muitimodal", "this one"))
            }
        )

    options = dict(zip("ABCD", PRESENT, strict=True))
    return {
        "ID": key,
        "image": image,
        "Biography": repr({"Name": name, "Born": "Toy Town"}),
        "MM_QA": pairs("this one"),
        "UM_QA": pairs(name),
        "Classify": task("?", options=options),
        "Cloze": task(" is [Blank].").replace("B. boats", "1.82 m."),
        "Generation": task("?").replace("B. boats", "It is boats."),
    }


def pairs(who: str) -> str:
    """Return the cell of the pairs that a model learns."""
    asked = {fact: f"What {fact} has {who}?" for fact in FACTS}
    return repr({"question": asked, "answer": {fact: f"The {fact}." for fact in FACTS}})


def tables() -> dict[str, Files]:
    """Return the rows of every configuration, file by file; no two rows share a cell."""

    def whole(keys: list[str]) -> Files:
        return [[profile(key, person(key), picture(int(key))) for key in keys]]

    made = {"Full_Set": whole(IDS)}
    made["Real_Person_Set"] = [[profile(k, f"Famous{k} Toy", picture(int(k), 99)) for k in REAL]]
    for percent, keys in FORGOTTEN.items():
        made[f"forget_{percent}"] = whole(keys)
        made[f"retain_{100 - percent}"] = whole([key for key in IDS if key not in keys])
    return made


def write(root: Path, made: dict[str, Files]) -> dict[str, Place]:
    """Write the tables under `root`, in place of what is there, and unpack their images."""
    return {"umu": mllmu.write(root, made)["mllmu"]}


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
    """Return the small manifest at 10 %, without rehearsal; sections are updated."""
    document = load_manifest(MANIFESTS / "umu-smoke.toml").resolved()
    document["finetune"]["rehearsal"] = 0.0
    document["split"]["forget_percent"] = 10
    for section, values in sections.items():
        document[section] |= values
    return Manifest.model_validate(document)
