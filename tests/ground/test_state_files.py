"""A damaged file of the cache is named, and the remedy that is printed leads on."""

import json
import shutil

import pytest

from kit.artifacts import Artifact
from kit.cluster.private_cache import folder_of
from kit.cluster.shared_folder import NODE, SharedFolder
from kit.errors import KitError, LicenceError, StorageError
from kit.experiment.manifest import SourceSection
from kit.fetch import licences
from kit.fetch.version import Version
from kit.pictures import known
from kit.plan.decided import read_inputs
from kit.plan.jobs import make_plan
from kit.preflight import ready
from kit.preflight.records import RecordTokens
from kit.sources import places
from kit.sources.places import known_revision
from kit.stages.attempts import attempt, attempts_path, read_attempts
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


WRONG = [
    ("seconds", "x"), ("seconds", None), ("seconds", True), ("seconds", -1), ("seconds", 1e999),
    ("steps", 1.5), ("steps", "3"), ("steps", []), ("stopped", 3), ("peak_memory_bytes", "much"),
    ("canary", "0.5"), ("largest_nats", []), ("limit_nats", None), ("tokens", -1), ("answers", {}),
    ("engine", "vllm"), ("needs", []), ("determinism", None), ("gradient_checkpointing", 0),
    ("digest", "1" * 64), ("digest", 7), ("target", ["person"]), ("lost", 1),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_a_value_of_another_type_in_the_record_of_an_artifact_is_named(key, value, cache):
    artifact = Artifact("finetune", "vanilla", "0" * 64)
    artifact.partial.mkdir(parents=True)
    artifact.publish({"seconds": 1.5, "steps": 3, "canary": None, "largest_nats": 0.5})
    path = artifact.path / "job.json"
    path.write_text(json.dumps({**artifact.job(), key: value}), encoding="utf-8")
    with pytest.raises(StorageError, match=r"job\.json is damaged") as caught:
        artifact.job()
    assert key in caught.value.expected
    assert caught.value.found == f"{value!r:.80}"
    assert caught.value.remedy.startswith(f"remove {artifact.path}, and run")


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
        {"fetch": {**COST, "seconds": -1.0}},
        {"fetch": {**COST, "jobs": True}},
        {"fetch": {**COST, "jobs_skipped": None}},
        {"fetch": {**COST, "peak_memory_bytes": "much"}},
        {"fetch": {**COST, "stage": "unlearn"}},
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
    whole = RecordTokens(9, "a", 40, 512, 30, 20.5, 10).stored()
    for name, value in (("limit", "512"), ("longest", 3), ("mean", None), ("needed", 1.5)):
        data = json.dumps({**whole, name: value}).encode()
        assert name in refused(lambda: ready.known_records(made), path, data)
    path.write_text(json.dumps(whole), encoding="utf-8")
    assert ready.known_records(made) == RecordTokens(**whole)


@pytest.mark.parametrize("line", ["3", "[1]", "null", '{"event": 3}', '"started"', "[" * 100_000])
def test_a_line_of_the_log_of_attempts_that_is_no_entry_counts_as_cut_off(line):
    with attempt(manifest(), "all"):
        pass
    with attempts_path(manifest()).open("ab") as stream:
        stream.write(line.encode() + b"\n\xff\xfe\n")
    found = read_attempts(manifest())
    assert [each["event"] for each in found] == ["started", "finished", "cut off", "cut off"]
    assert found[2]["line"] == line[:200]


@pytest.mark.parametrize("data", [*DAMAGED, b'{"a": [{}]}', b'{"a": [1]}', b'{"a": "converted"}'])
def test_damaged_notes_about_pictures_are_made_again(data):
    path = known.known_path()
    path.parent.mkdir()
    path.write_bytes(data)
    with known.known_pictures() as pictures:
        assert pictures.changes == {}


NOTE = {"host": "hub", "etag": "x", "total": 3}


@pytest.mark.parametrize(
    "data", [*DAMAGED, *(json.dumps({**NOTE, key: []}).encode() for key in NOTE)]
)
def test_a_damaged_note_of_a_download_is_no_note(data, cache):
    (cache / "note").write_text(json.dumps(NOTE), encoding="utf-8")
    assert Version.read(cache / "note") == Version("hub", "x", 3)
    (cache / "note").write_bytes(data)
    assert Version.read(cache / "note") is None


@pytest.mark.parametrize("data", [*DAMAGED, b"{}", b'["node"]'])
def test_a_node_whose_file_is_damaged_is_not_heard(data, cache):
    folder = SharedFolder(cache)
    path = folder_of(folder.root, "token") / NODE
    path.parent.mkdir(parents=True)
    folder.sign("token", "mine")
    assert folder.heard("token")[0] == "mine"
    path.write_bytes(data)
    assert folder.heard("token") is None


def test_consent_of_another_form_is_not_taken_for_consent():
    content = b'{"a/b@head: MIT": {"licence": "MIT", "accepted": 2026}}'
    refused(lambda: licences.acceptance(SOURCE), licences.accepted_path(), content, LicenceError)


@pytest.mark.parametrize("data", DAMAGED)
def test_notes_that_explain_a_plan_are_left_out_where_they_are_damaged(data, cache):
    path = cache / "artifacts" / "decided-0.json"
    path.parent.mkdir()
    path.write_bytes(data)
    assert read_inputs() == {}


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path):
    with pytest.raises(StorageError, match="Is a directory"):
        read_object(tmp_path)
