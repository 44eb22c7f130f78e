"""A result's RO-Crate fulfils what RO-Crate 1.1 and Process Run Crate 0.5 demand, and is stable."""

import json
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from kit import __version__
from kit.artifacts import PROJECT
from kit.digests import sha256_file
from kit.report.ro_crate import ro_crate
from kit.result.layout import CRATE, SIGNATURES, SUMS
from tests.runs.container_tools import tool
from tests.toys.signed_result import LISTS

RUN_MADE = "2026-01-02T04:05:06+00:00"


@pytest.fixture
def crate(signed):
    return json.loads((signed / CRATE).read_bytes())


@pytest.fixture
def entities(crate):
    found = {each["@id"]: each for each in crate["@graph"]}
    assert len(found) == len(crate["@graph"]), "one entity has one @id"
    return found


def ids(value):
    """Return the ids that a property refers to."""
    return [each["@id"] for each in (value if isinstance(value, list) else [value])]


def of_type(entities, name):
    return [each for each in entities.values() if each["@type"] == name]


def test_the_descriptor_is_about_the_root_and_names_the_specification(crate, entities):
    """RO-Crate 1.1, root data entity: MUST."""
    assert crate["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    descriptor = entities["ro-crate-metadata.json"]
    assert descriptor["@type"] == "CreativeWork"
    assert descriptor["about"] == {"@id": "./"}
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}


def test_the_root_has_what_a_root_must_have(entities):
    """RO-Crate 1.1, direct properties of the root data entity: MUST."""
    root = entities["./"]
    assert root["@type"] == "Dataset"
    assert root["name"] == "tiny"
    assert root["description"]
    assert root["datePublished"] == RUN_MADE[:10], "the day on which the run was recorded"
    assert entities[ids(root["license"])[0]]["description"].startswith("No licence has been stated")


def test_the_root_conforms_to_the_versioned_profile_which_is_an_entity(entities):
    """Process Run Crate 0.5, Dataset: MUST."""
    (profile,) = ids(entities["./"]["conformsTo"])
    assert profile == "https://w3id.org/ro/wfrun/process/0.5"
    assert entities[profile]["@type"] == "CreativeWork"


def test_one_action_used_the_kit_on_manifest_and_sources(entities):
    """Process Run Crate 0.5: MUST have an instrument; SHOULD have an end and be mentioned."""
    (action,) = of_type(entities, "CreateAction")
    kit = entities[ids(action["instrument"])[0]]
    assert (kit["@type"], kit["softwareVersion"]) == ("SoftwareApplication", __version__)
    assert ids(entities["./"]["mentions"]) == [action["@id"]]
    used = [entities[name]["name"] for name in ids(action["object"])]
    assert used == ["Manifest tiny", "tiny", "base"]
    assert ids(action["result"]) == ids(entities["./"]["hasPart"])
    assert (action["startTime"], action["endTime"]) == ("2026-01-02T03:04:05+00:00", RUN_MADE)
    assert datetime.fromisoformat(action["startTime"]) < datetime.fromisoformat(action["endTime"])
    assert "agent" not in action, "the kit does not know who ran it"


def test_a_source_is_told_with_its_terms_and_the_digest_of_its_bytes(entities):
    base, data = entities["#source-base"], entities["#source-tiny"]
    assert base["description"].startswith("Base model; origin: https://hub.example.org")
    assert base["url"] == "https://huggingface.co/org/base"
    assert (base["license"], base["version"]) == ("none stated", "c0" * 20)
    assert data["identifier"] == "sha256:" + sha256_file(PROJECT / LISTS["tiny"])
    assert not {"url", "license", "version"} & set(data), "nothing is said that nobody stated"


def test_every_file_is_listed_with_its_digest_but_those_that_come_after_the_crate(signed, entities):
    told = {each["@id"]: each["sha256"] for each in of_type(entities, "File")}
    there = {
        path.relative_to(signed).as_posix(): sha256_file(path)
        for path in signed.rglob("*")
        if path.is_file()
    }
    assert told == {n: d for n, d in there.items() if n not in {CRATE, SUMS, *SIGNATURES}}
    assert all(each["encodingFormat"] for each in of_type(entities, "File"))


def test_every_file_and_folder_is_a_part_of_the_root_and_every_reference_leads_somewhere(entities):
    reached, waiting = set(), ["./"]
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting += ids(entities[name].get("hasPart", []))
    kinds = ("File", "Dataset")
    assert reached == {each["@id"] for kind in kinds for each in of_type(entities, kind)}
    for entity in entities.values():
        for value in entity.values():
            refers = value if isinstance(value, list) else [value]
            named = {each["@id"] for each in refers if isinstance(each, dict)}
            assert named <= {*entities, "https://w3id.org/ro/crate/1.1"}, entity["@id"]


def test_equal_inputs_give_equal_crates_whatever_their_order(signed, crate):
    run = json.loads((signed / "run.json").read_bytes())
    files = {each["@id"]: each["sha256"] for each in crate["@graph"] if each["@type"] == "File"}
    backwards = dict(sorted(files.items(), reverse=True))
    assert ro_crate(run, files) == ro_crate(run, backwards) == crate


def test_a_run_whose_calls_are_not_known_has_an_end_alone(signed):
    run = json.loads((signed / "run.json").read_bytes()) | {"attempts": []}
    (action,) = (e for e in ro_crate(run, {})["@graph"] if e["@type"] == "CreateAction")
    assert "startTime" not in action


def test_a_name_is_an_id_only_in_the_letters_of_a_uri(signed):
    run = json.loads((signed / "run.json").read_bytes())
    named = {each["@id"] for each in ro_crate(run, {"a b/c#d.md": "00"})["@graph"]}
    assert {"a%20b/", "a%20b/c%23d.md"} <= named


@pytest.mark.slow
def test_the_profiles_own_validator_accepts_it(signed):
    """roc-validator, without network. It recommends what the kit cannot know: people and a page."""
    script = Path(__file__).with_name("crate_validator.py")
    command = [tool("python"), str(script), str(signed), "recommended"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    issues = {issue["check"]["identifier"]: issue for issue in report["issues"]}
    assert [i["message"] for i in issues.values() if i["severity"] == "REQUIRED"] == []
    assert report["statistics"]["total_checks_by_severity"]["REQUIRED"] > 40
    unknown = {"process-run-crate-0.5_3.2", "process-run-crate-0.5_5.1",  # the kit's page
               "process-run-crate-0.5_8.6", "ro-crate-1.1_22.2", "ro-crate-1.1_22.3"}  # fmt: skip
    assert set(issues) == unknown


@pytest.mark.slow
def test_the_profiles_own_validator_would_refuse_a_crate_without_an_instrument(damaged):
    text = (damaged / CRATE).read_text(encoding="utf-8").replace('"instrument"', '"agent"')
    (damaged / CRATE).write_text(text, encoding="utf-8")
    script = Path(__file__).with_name("crate_validator.py")
    command = [tool("python"), str(script), str(damaged), "required"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "MUST have an instrument" in done.stdout
