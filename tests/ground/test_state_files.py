"""A damaged file of the cache is named, and the remedy that is printed leads on."""

import json
import shutil

import pytest

from kit.artifacts import Artifact
from kit.errors import KitError, LicenceError, StorageError
from kit.experiment.manifest import SourceSection
from kit.fetch import licences
from kit.plan.decided import read_inputs
from kit.plan.jobs import make_plan
from kit.preflight import ready
from kit.sources import places
from kit.sources.places import known_revision
from kit.stages.costs import costs_path, read_costs
from kit.state_files import read_object
from tests.toys.dataset import manifest

DAMAGED = [b"", b'{"a": ', b"null", b"[]", b"7", b"\xff\xfe\x00", b"[" * 100_000, b"9" * 5_000]
SOURCE = SourceSection(name="toy", checksums="x.sha256", repo="a/b", licence="MIT")
COST = {"stage": "fetch", "jobs": 1, "jobs_skipped": 0, "peak_memory_bytes": None, "seconds": 2.5}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    return tmp_path


def refused(read, path, data: bytes, kind: type[KitError] = StorageError) -> str:
    """Return the message, after its remedy was followed: then reading is no error any more."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    with pytest.raises(kind, match="is damaged") as caught:
        read()
    named = str(caught.value).partition("remedy: remove ")[2]
    assert named.startswith((f"{path}, and run", "it; the licences")), named
    path.unlink()
    read()
    return str(caught.value)


@pytest.mark.parametrize("data", DAMAGED)
def test_costs_origins_and_licences_are_read_as_they_were_written_or_named(data, monkeypatch):
    plan = make_plan(manifest())
    refused(lambda: read_costs(plan), costs_path(plan), data)
    origin = places.cache_root() / "data" / "toy.origin.json"
    monkeypatch.setattr(places, "_history_path", lambda source: origin)
    refused(lambda: known_revision(SOURCE), origin, data)
    refused(lambda: licences.acceptance(SOURCE), licences.accepted_path(), data, LicenceError)


@pytest.mark.parametrize("data", [b"{}", b'{"steps": 3}', b'{"Seconds": 1.5}'])
def test_a_key_that_the_record_of_an_artifact_lacks_is_named_with_its_folder(data, cache):
    artifact = Artifact("finetune", "vanilla", "0" * 64)
    artifact.partial.mkdir(parents=True)
    artifact.publish({"seconds": 1.5})
    (artifact.path / "job.json").write_bytes(data)
    record = artifact.job()
    assert record.get("seconds") is None
    assert "seconds" not in record
    with pytest.raises(StorageError, match=r"job\.json is damaged") as caught:
        record["seconds"]
    assert "the key 'seconds'" in str(caught.value.expected)
    assert caught.value.found
    assert f"remove {artifact.path}," in caught.value.remedy, "then the job is done again"


@pytest.mark.parametrize("data", DAMAGED)
def test_the_record_of_an_artifact_is_read_or_its_folder_is_named(data, cache):
    artifact = Artifact("finetune", "vanilla", "0" * 64)
    artifact.partial.mkdir(parents=True)
    artifact.publish({"seconds": 1.5})
    assert artifact.job()["seconds"] == 1.5
    (artifact.path / "job.json").write_bytes(data)
    with pytest.raises(StorageError, match=f"remedy: remove {artifact.path}, and run"):
        artifact.job()
    shutil.rmtree(artifact.path)
    assert not artifact.done, "so that it is made again"


@pytest.mark.parametrize(
    "content",
    [
        {"fetch": {**COST, "seconds": "x"}},
        {"fetch": {"seconds": 1.0}},
        {"fetch": 7},
        {"fetch": None},
    ],
)
def test_a_cost_of_another_form_is_named(content):
    plan = make_plan(manifest())
    path = costs_path(plan)
    said = refused(lambda: read_costs(plan), path, json.dumps(content).encode())
    assert "the cost of fetch is" in said
    path.write_text(json.dumps({"fetch": COST}), encoding="utf-8")
    assert read_costs(plan) == {"fetch": COST}


def test_what_was_found_about_records_is_whole_or_named(cache):
    made = manifest()
    path = ready.records_path(made)
    refused(lambda: ready.known_records(made), path, b'{"checked": 3}')
    refused(lambda: ready.known_records(made), path, b"{")


@pytest.mark.parametrize("data", DAMAGED)
def test_notes_that_explain_a_plan_are_left_out_where_they_are_damaged(data, cache):
    path = cache / "artifacts" / "decided-0.json"
    path.parent.mkdir()
    path.write_bytes(data)
    assert read_inputs() == {}


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path):
    with pytest.raises(StorageError, match="Is a directory"):
        read_object(tmp_path)
