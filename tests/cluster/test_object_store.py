"""An object store as the place of artifacts: what travels, who wins, and what is refused.

The same claims hold for objects in memory, and for those of a real S3 server (marker `store`).
"""

import json
import re
import secrets
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from kit.artifacts import Artifact, write_bytes
from kit.cluster import object_store
from kit.cluster.entries import Entry, blob_of, described, key_of
from kit.cluster.object_store import ObjectStore
from kit.cluster.objects import Objects
from kit.digests import sha256_bytes
from kit.errors import ChecksumError
from tests.cluster.s3_server import BUCKET, variables
from tests.cluster.toy_objects import ToyObjects

JOB = Artifact("finetune", "vanilla", "ab" * 32)
NAME = f"artifacts/{JOB.path.name}"
WRITERS = 8

Machine = Callable[..., ObjectStore]


@pytest.fixture(params=["memory", pytest.param("server", marks=pytest.mark.store)])
def objects(request, monkeypatch):
    """The objects of an empty store."""
    if request.param == "memory":
        made = ToyObjects()
        monkeypatch.setattr(object_store, "Objects", lambda url, retry_s: made)
        return made
    for name, value in variables(request.getfixturevalue("door").url).items():
        monkeypatch.setenv(name, value)
    return Objects(f"s3://{BUCKET}/{secrets.token_hex(4)}", 5.0)


@pytest.fixture
def machine(objects, tmp_path) -> Machine:
    """Make a machine with a cache of its own."""

    def made(name: str, *, own: bool = False) -> ObjectStore:
        (tmp_path / name).mkdir(exist_ok=True)
        return ObjectStore(objects.url, tmp_path / name, own=own, retry_s=5.0)

    return made


def make(there: ObjectStore, weights: bytes = b"weights", seconds: float = 1.0) -> None:
    """Make the artifact on a machine."""
    write_bytes(there.root / NAME / "weights", weights)
    write_bytes(there.root / NAME / "deep" / "er", b"")
    write_bytes(there.root / NAME / "job.json", json.dumps({"seconds": seconds}).encode())


def held(there: ObjectStore, name: str = NAME) -> dict[str, bytes]:
    """Return what a machine has."""
    found = described(there.root, name).files if (there.root / name).exists() else {}
    return {path: (there.root / name / path).read_bytes() for path in found}


def delete_as_told(objects: ToyObjects | Objects, error: ChecksumError) -> None:
    """Do what a remedy says: remove the objects that it names."""
    told = re.findall(rf"{re.escape(objects.url)}/([\w./-]+)", str(error.remedy))
    assert told
    objects.delete(told)


def test_what_one_machine_has_made_another_has_with_the_same_bytes(machine):
    one, other = machine("one"), machine("other")
    make(one)
    write_bytes(one.root / "artifacts" / "checked-base.json", b"{}")
    (one.root / "data" / "base.images").mkdir(parents=True)
    names = [NAME, "artifacts/checked-base.json", "data/base.images"]
    other.bring(one.give(names))
    for name in names:
        assert held(other, name) == held(one, name)
        assert (other.root / name).exists()
    assert held(other)["weights"] == b"weights"


def test_large_files_travel_in_parts(machine, monkeypatch):
    one, other = machine("one"), machine("other")
    weights = secrets.token_bytes(40_000_000)  # two parts and a half
    make(one, weights)
    other.bring(one.give([NAME]))
    assert (other.root / NAME / "weights").read_bytes() == weights


def test_of_writers_at_the_same_time_the_first_wins_everywhere(machine, objects):
    machines = [machine(f"m{n}") for n in range(WRITERS)]
    for n, each in enumerate(machines):
        make(each, f"weights of {n}".encode())
    together = threading.Barrier(WRITERS)

    def give(each: ObjectStore) -> dict[str, str]:
        together.wait()
        return each.give([NAME])

    with ThreadPoolExecutor(WRITERS) as pool:
        told = list(pool.map(give, machines))
    assert len({each[NAME] for each in told}) == 1, "all speak of one artifact"
    late = machine("late")
    late.find([NAME])
    assert held(late)["weights"].startswith(b"weights of ")
    assert [held(each) for each in machines] == [held(late)] * WRITERS
    assert [each.key for each in objects.list("entries")] == [key_of(NAME)]


def test_giving_it_twice_does_nothing(machine, objects):
    one = machine("one")
    make(one)
    first = one.give([NAME])
    before = sorted(each.key for each in objects.list("bytes"))
    assert machine("one").give([NAME]) == first
    assert sorted(each.key for each in objects.list("bytes")) == before


@pytest.mark.parametrize(
    ("spoiled", "said"),
    [(b"WEIGHTS", f"7 bytes, SHA-256 {sha256_bytes(b'WEIGHTS')}"), (b"wei", "3 bytes")],
    ids=["other bytes", "cut off"],
)
def test_a_wrong_object_is_refused_by_name_and_not_used_and_the_remedy_works(
    machine, objects, spoiled, said
):
    one, other = machine("one"), machine("other")
    make(one)
    told = one.give([NAME])
    key = blob_of(sha256_bytes(b"weights"))
    objects.write(key, spoiled)
    with pytest.raises(ChecksumError) as caught:
        other.bring(told)
    assert caught.value.what.startswith(objects.named(key))
    assert (caught.value.expected, caught.value.found) == (
        f"7 bytes, SHA-256 {sha256_bytes(b'weights')}",
        said,
    )
    assert not (other.root / NAME).exists()
    delete_as_told(objects, caught.value)
    other.bring(machine("one").give([NAME]))
    assert held(other) == held(one)


@pytest.mark.parametrize("change", ["cut off", "other", "gone"])
def test_a_wrong_list_of_files_is_refused_by_name_and_the_remedy_works(machine, objects, change):
    one, other = machine("one"), machine("other")
    make(one)
    told = one.give([NAME])
    key = key_of(NAME)
    right = objects.read(key)
    lie = Entry(NAME, {"weights": (3, sha256_bytes(b"lie"))})
    objects.write(blob_of(sha256_bytes(b"lie")), b"lie")
    objects.delete([key])
    if change != "gone":
        objects.write(key, right[:-9] if change == "cut off" else lie.encoded)
    with pytest.raises(ChecksumError) as caught:
        other.bring(told)
    assert caught.value.what.startswith(objects.named(key))
    assert not (other.root / NAME).exists()
    delete_as_told(objects, caught.value)
    other.bring(machine("one").give([NAME]))
    assert held(other) == held(one)


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x"])
def test_no_list_of_a_stranger_leaves_its_folder(machine, objects, path, tmp_path):
    objects.write(blob_of(sha256_bytes(b"lie")), b"lie")
    entry = Entry(NAME, {path: (3, sha256_bytes(b"lie"))})
    objects.write(entry.key, entry.encoded)
    other = machine("other")
    with pytest.raises(ChecksumError, match="was not used"):
        other.find([NAME])
    assert not list(tmp_path.rglob("x"))


def test_what_a_driver_has_made_is_never_replaced_by_other_bytes_and_the_remedy_works(machine):
    node, driver = machine("node"), machine("driver", own=True)
    make(node, b"of a node")
    make(driver, b"of the driver")
    told = node.give([NAME])
    with pytest.raises(ChecksumError, match="has other bytes in this cache") as caught:
        driver.lend([NAME])
    assert held(driver)["weights"] == b"of the driver"
    assert str(driver.root / NAME) in str(caught.value.remedy)
    shutil.rmtree(driver.root / NAME)
    driver.bring(told)
    assert held(driver) == held(node)


def test_a_driver_takes_the_record_of_another_attempt_with_the_same_bytes(machine):
    node, driver = machine("node"), machine("driver", own=True)
    make(node, seconds=1)
    make(driver, seconds=2)
    assert driver.lend([NAME]) == node.give([NAME])
    assert held(node)["job.json"] == held(driver)["job.json"]


def test_what_was_brought_before_is_not_read_again_unless_it_has_changed(machine, objects):
    one = machine("one")
    make(one)
    told = one.give([NAME])
    machine("other").bring(told)
    if isinstance(objects, ToyObjects):
        objects.reads.clear()
        machine("other").bring(told)
        assert objects.reads == [key_of(NAME)]
    other = machine("other")
    (other.root / NAME / "weights").write_bytes(b"damaged on its disk")
    other.bring(told)
    assert held(other) == held(one)


def test_a_copy_that_was_interrupted_goes_on_with_the_files_that_it_lacks(machine, monkeypatch):
    one, other = machine("one"), machine("other")
    make(one)
    told = one.give([NAME])
    fetched: list[str] = []
    parts = type(other._objects).parts

    def failing(self, key: str, size: int):
        if len(fetched) == 2:
            raise ConnectionError("the network is gone")
        fetched.append(key)
        yield from parts(self, key, size)

    monkeypatch.setattr(type(other._objects), "parts", failing)
    with pytest.raises(ConnectionError):
        other.bring(told)
    assert not (other.root / NAME).exists(), "half a copy has no name"
    monkeypatch.setattr(type(other._objects), "parts", parts)
    other.bring(told)
    assert held(other) == held(one)


def test_what_somebody_has_published_is_found_and_nothing_else(machine):
    one, other = machine("one"), machine("other")
    make(one)
    one.give([NAME])
    other.find([NAME, "artifacts/never-made"])
    assert held(other) == held(one)
    assert [path.name for path in (other.root / "artifacts").iterdir()] == [JOB.path.name]


def test_a_supervisor_is_heard_with_its_node_until_the_driver_leaves(machine, monkeypatch):
    monkeypatch.setattr(object_store, "SIGN_S", 0.01)
    node, driver = machine("node"), machine("driver", own=True)
    node.sign("token", "the-node")
    while (heard := driver.heard("token")) is None:
        pass
    assert heard[0] == "the-node"
    assert driver.heard("another") is None
    node.end("token")
    node._signs = {}
    driver.close(["token"])
    driver._listened = -1.0
    assert driver.heard("token") is None


def test_a_store_says_that_it_can_be_used_and_leaves_nothing(machine, objects):
    (line,) = machine("driver").check()
    assert line == f"store: {objects.url} can be read and written; the first writer wins"
    driver, node = machine("driver"), machine("node")
    note = driver.write_note()
    assert node.read_note(note) == driver.read_note(note)
    driver.remove_note(note)
    assert node.read_note(note) == "no such object"
    assert objects.list("checks") == []


def test_a_folder_that_a_copy_replaces_is_whole_before_and_after(machine, tmp_path):
    one, other = machine("one"), machine("other")
    make(one, b"first")
    make(other, b"second")
    write_bytes(other.root / NAME / "of the second alone", b"x")
    other.bring(one.give([NAME]))
    assert held(other) == held(one)
    assert [p.name for p in (other.root / "artifacts").iterdir()] == [JOB.path.name]
    left = [p.name for p in (other.root / "scratch" / "store").iterdir()]
    assert all(name.endswith(".json") for name in left), "no copy that is not whole"
