"""An error about a key names the file that the key comes from: a manifest may extend another."""

import copy
import tomllib
from pathlib import Path

import pytest

from kit.artifacts import PROJECT
from kit.errors import ManifestError
from kit.experiment.manifest_file import parse_manifest
from kit.experiment.named_files import require_near
from kit.experiment.origins import Origins
from kit.experiment.tuned import with_choice
from kit.plan.jobs import make_plan

MINE, BASE = "mine.toml", "base.toml"
DOCUMENT = tomllib.loads((PROJECT / "manifests/smoke.toml").read_text(encoding="utf-8"))
DOCUMENT |= {"claims": []}
TWICE = "the entry that is there already"
CLAIM = {"id": "C1", "system": "npo", "systems": ["npo"]}
TUNE = {
    "methods": ["npo"], "seeds": [31, 32], "validation_percent": 30, "learning_rates": [1e-4, 2e-3],
    "parameters": {}, "file": "manifests/tuned/toy.json",
}  # fmt: skip
ENTRY = {"name": "relearn", "label": "R", "attack": "relearn_forget", "levels": [0.5]}
JUDGE = {
    "source": DOCUMENT["model"]["source"] | {"name": "judge"},
    "prompt": "{question} {reference} {answer}",
    "replies": {"Yes": 1.0, "No": 0.0},
}

FAULTS = [
    ({"finetune.stepz": 1}, "no key 'finetune.stepz'"),
    ({"seeds": []}, "'seeds' is not valid"),
    ({"finetune.batch_size": 4, "finetune.micro_batch_size": 3}, "is not a multiple of"),
    ({"model.lora_modules": "("}, "model.lora_modules is not a regular expression"),
    ({"evaluation.serving": "merged", "model.compute_dtype": "bfloat16"}, "needs model.compute"),
    ({"seeds": [1, 1]}, "seeds has 1 twice"),
    ({"targets": ["person", "person"]}, "targets has person twice"),
    ({"methods": TWICE}, "methods.name has"),
    ({"sources": TWICE}, "sources.name has"),
    ({"methods.0.targets": ["ghost"]}, "has target 'ghost'"),
    ({"sources.0.repo": "a/b"}, "needs exactly one origin"),
    ({"sources.0.checksums": "/etc/list"}, "is outside the project"),
    ({"split.ids": "/etc/ids"}, "is outside the project"),
    ({"calibration.file": "a/../../x.json"}, "calibration.file leaves the project"),
    ({"calibration.pilot_seeds": [101, 101, 2, 3, 4]}, "calibration.pilot_seeds has 101 twice"),
    ({"calibration.pilot_seeds": [101, 201, 2, 3, 4]}, "share the seed 201"),
    ({"claims": [CLAIM]}, "has both 'system' and 'systems'"),
    ({"evaluation.metrics": ["judge"]}, "but no [judge]"),
    ({"judge": JUDGE}, "there is [judge], but no"),
    ({"judge": JUDGE | {"prompt": "?"}, "evaluation.metrics": ["judge"]}, "judge.prompt names"),
    ({"tune": TUNE | {"methods": ["ghost"]}}, "no trained method 'ghost'"),
    ({"tune": TUNE | {"targets": ["ghost"]}}, "tune.targets: no target 'ghost'"),
    ({"tune": TUNE | {"learning_rates": [1e-4, 1e-4]}}, "has 0.0001 twice"),
    ({"tune": TUNE | {"parameters": {"npo": {"beta": []}}}}, "the grid of 'npo' is empty"),
    ({"tune": TUNE | {"without_rate": ["npo"]}}, "nothing of 'npo' is tuned"),
    ({"tune": TUNE | {"digest": "0" * 64}}, "is not the file that tune.digest names"),
    ({"split.ids": "manifests/splits/none.json"}, "does not exist"),
    ({"evaluation.metric_file": "none.py"}, "none.py does not exist"),
    ({"benchmark.loader": "ghost"}, "ghost"),
    ({"unlearn.target_steps": {"ghost": 1}}, "has no target 'ghost'"),
    ({"methods.0.options": {"ghost": 1}}, "has no option 'ghost'"),
    ({"methods.0.method": "ghost"}, "ghost"),
    ({"methods.1.label": DOCUMENT["methods"][0]["label"]}, "the label of method"),
    ({"probes": [{"name": "p", "probe": "pope", "source": "ghost"}]}, "no source 'ghost'"),
    ({"attack": {"entries": [ENTRY], "methods": ["ghost"]}}, "attack.methods has 'ghost'"),
    ({"attack": {"entries": [ENTRY, ENTRY]}}, "attack.entries.name has relearn twice"),
    ({"attack": {"entries": [ENTRY | {"levels": [-1.0]}]}}, "the level -1 is not valid"),
    ({"sources.0.checksums": "checksums/none.sha256"}, "none.sha256 does not exist"),
]  # fmt: skip


def faulty(changes):
    """Return the small manifest with some keys changed."""
    document = copy.deepcopy(DOCUMENT)
    for key, value in changes.items():
        inside, *parts = document, *key.split(".")
        for part in parts[:-1]:
            inside = inside[int(part) if part.isdigit() else part]
        inside[parts[-1]] = [*inside[parts[-1]], inside[parts[-1]][0]] if value is TWICE else value
    return document


def refusal(document, origins):
    with pytest.raises(ManifestError) as caught:
        plan(document, origins)
    return caught.value.what


def plan(document, origins):
    manifest = parse_manifest(document, origins)
    require_near(manifest, Path(MINE))
    make_plan(with_choice(manifest, MINE))


def with_file(changes):
    return pytest.param(*changes, id=", ".join(changes[0]) + ": " + changes[1])


@pytest.mark.parametrize(("changes", "said"), [with_file(pair) for pair in FAULTS])
def test_the_file_is_named_that_a_faulty_key_comes_from(changes, said):
    document = faulty(changes)
    inherited = refusal(document, Origins(MINE, {"name": "x"}, {}, BASE, document))
    assert inherited.startswith(f"{BASE}, which {MINE} extends: ")
    assert said in inherited
    own = refusal(document, Origins(MINE, document, {}, BASE, DOCUMENT))
    assert own.startswith(f"{MINE}: ")
    assert BASE not in own
    assert said in own


def test_keys_of_both_files_are_named_with_both():
    document = faulty({"unlearn.batch_size": 4, "unlearn.micro_batch_size": 3})
    written = {"unlearn": {"batch_size": 4}}
    said = refusal(document, Origins(MINE, written, {}, BASE, document))
    assert said.startswith(f"{MINE} and {BASE}, which {MINE} extends: unlearn.batch_size")


def test_an_entry_that_is_added_to_an_inherited_list_is_the_manifests_own():
    entry = DOCUMENT["methods"][0] | {"name": "new", "label": "New", "options": {"ghost": 1}}
    document = faulty({})
    document["methods"].append(entry)
    said = refusal(document, Origins(MINE, {}, {"methods": [entry]}, BASE, DOCUMENT))
    assert said.startswith(f"{MINE}: method 'new'")


def test_a_manifest_of_no_file_is_named_by_its_name():
    manifest = parse_manifest(copy.deepcopy(DOCUMENT), "x.toml")
    assert manifest.origin_of("seeds") == "x.toml"
    assert type(manifest).model_validate(DOCUMENT).origin_of("seeds") == "manifest smoke"
    assert type(manifest).model_validate(DOCUMENT) == manifest, "where it is from is no value of it"
