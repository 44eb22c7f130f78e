"""Toy work on two real nodes of a Ray cluster that share nothing but an S3 server.

It needs what `test_ray.py` needs, and a package index for moto's environment.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.ray_nodes import ON_TWO_NODES, environment
from tests.cluster.s3_server import KEY, SECRET, TOKEN
from tests.cluster.store_nodes import STORE, StoreNodes
from tests.cluster.toy_child import STEPS
from tests.cluster.toy_runs import (
    CHILD,
    artifacts,
    failure,
    finish,
    kill_driver,
    require_artifacts,
    start,
    until,
)

pytestmark = ON_TWO_NODES


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreNodes]:
    environment()
    with StoreNodes(tmp_path_factory.mktemp("store")) as nodes:
        yield nodes


@pytest.fixture
def apart(both: StoreNodes) -> StoreNodes:
    """The nodes, with empty caches and an empty store."""
    both.stop_serving()
    both.serve()
    for cache in (both.cache, *both.caches):
        shutil.rmtree(cache)
        cache.mkdir()
    return both


def begun(nodes: StoreNodes, node: int) -> bool:
    """Whether a node's interpreter has a checkpoint."""
    return any(nodes.caches[node].glob("scratch/ray/*/artifacts/*.partial/checkpoint"))


def printed_keys(nodes: StoreNodes, *said: str) -> list[str]:
    """Return what holds a key: words that were said, or files of the caches."""
    files = [p for c in (nodes.cache, *nodes.caches) for p in c.rglob("*") if p.is_file()]
    texts = {str(path): path.read_bytes() for path in files}
    texts |= {word[:80]: word.encode() for word in said}
    keys = [key.encode() for key in (KEY, SECRET, TOKEN)]
    return [name for name, text in texts.items() if any(key in text for key in keys)]


def test_nodes_that_share_only_a_store_do_each_job_once_with_the_right_bytes(apart):
    driver = start(apart, "train", "12", "3", STORE)
    until(lambda: apart.pids(0, CHILD) and apart.pids(1, CHILD))
    inherited = [
        Path(f"/proc/{pid}/environ").read_bytes()
        for node in (0, 1)
        for pid in apart.pids(node, CHILD)
    ]
    done, told, _ = finish(driver, 12)
    assert [steps for _, steps in done] == [STEPS] * 12
    require_artifacts(apart.cache, 12)
    made = [{path.name for path in artifacts(cache)} for cache in apart.caches]
    assert all(made), "both have worked"
    assert not made[0] & made[1]
    assert not any(b"AWS_" in each for each in inherited), "interpreters get no keys"
    assert printed_keys(apart, told) == []
    assert apart.request("GET", f"/{STORE.removeprefix('s3://')}/signs") == "404"


def test_a_driver_may_have_the_cache_of_the_node_beside_it(apart):
    own = apart.caches[0]
    finish(start(apart, "train", "8", "2", STORE, cache=own), 8)
    require_artifacts(own, 8)
    assert artifacts(apart.caches[1]), "the other node has worked, too"
    driver = start(apart, "train", "8", "2", STORE, cache=own)
    assert [steps for _, steps in finish(driver, 8)[0]] == [0] * 8


def test_kept_interpreters_publish_in_the_store_too(apart):
    done, _, _ = finish(start(apart, "answer", "8", "1", "warm", STORE), 8)
    assert len({pid for pid, _ in done}) <= 4, "one for each of the four CPUs"
    require_artifacts(apart.cache, 8)


def test_what_a_killed_node_was_at_is_done_on_the_other_one(apart):
    driver = start(apart, "train", "6", "8", STORE)
    until(lambda: begun(apart, 1))
    apart.kill(1)
    _, told, _ = finish(driver, 6)
    assert "attempt 2 of 5" in told
    require_artifacts(apart.cache, 6)
    apart.start(1)


def test_a_driver_that_is_killed_comes_back_and_repeats_nothing_that_was_published(apart):
    driver = start(apart, "train", "8", "6", STORE)
    until(lambda: len(artifacts(apart.cache)) >= 2)
    kill_driver(apart, driver)
    before = {path.name: (path / "job.json").read_bytes() for path in artifacts(apart.cache)}
    shutil.rmtree(apart.cache / "artifacts")  # the store still has them
    done, _, _ = finish(start(apart, "train", "8", "6", STORE), 8)
    assert sum(steps == 0 for _, steps in done) >= len(before)
    require_artifacts(apart.cache, 8)
    after = {path.name: (path / "job.json").read_bytes() for path in artifacts(apart.cache)}
    assert before.items() <= after.items()


def test_a_store_that_refuses_ends_the_run_which_goes_on_with_what_the_nodes_have(apart):
    driver = start(apart, "train", "4", "10", STORE)
    until(lambda: begun(apart, 0) and begun(apart, 1))
    apart.stop_serving()  # a new server has no bucket
    apart.serve()
    apart.remove_bucket()
    said = failure(driver)
    assert f"{STORE}: cannot " in said
    assert "NoSuchBucket" in said
    assert "create it, or correct --store" in said
    assert printed_keys(apart, said) == []
    until(lambda: not apart.pids(0, CHILD) and not apart.pids(1, CHILD))
    apart.make_bucket()
    done, _, _ = finish(start(apart, "train", "4", "10", STORE), 4)
    assert any(steps < STEPS for _, steps in done), "from checkpoints, or finished before"
    require_artifacts(apart.cache, 4)


def test_a_node_that_cannot_reach_the_store_is_named_before_the_first_job(apart):
    apart.kill(1)
    apart.start(1, variables={"AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    said = failure(start(apart, "train", "2", "1", STORE))
    assert "has another object store than the driver" in said
    assert "set the same AWS_ENDPOINT_URL there" in said
    assert artifacts(apart.cache) == []
    apart.kill(1)
    apart.start(1)
