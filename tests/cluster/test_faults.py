"""Faults of workers, of the shared folder, of memory and of a node's kit, on a real Ray cluster.

It needs what `test_ray.py` needs.
"""

import os
import random
import shutil
import signal
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from kit.artifacts import PROJECT
from tests.cluster.ray_nodes import ON_TWO_NODES, TwoNodes
from tests.cluster.toy_runs import (
    CHILD,
    Driver,
    artifacts,
    checkpoints,
    failure,
    finish,
    kill_driver,
    parent_of,
    require_artifacts,
    start,
    until,
)

pytestmark = ON_TWO_NODES
LOSSES = 3  # of one piece of work that these tests dare; a run ends after five


def work_of(child: int) -> str:
    """Return what an interpreter is at; "" if it has just begun."""
    variables = Path(f"/proc/{child}/environ").read_bytes().decode().split("\0")
    [cache] = (v.partition("=")[2] for v in variables if v.startswith("PEBENCH_CACHE="))
    return next((p.name for p in Path(cache).glob("artifacts/*.partial")), "")


def kill_at_random(nodes: TwoNodes, driver: Driver, kills: int) -> None:
    """Kill interpreters and their supervisors, one after the other."""
    dice, losses = random.Random(17), Counter[str]()
    while losses.total() < kills:
        assert driver.poll() is None, "the work has ended before the last kill"
        time.sleep(dice.uniform(0.2, 1.2))
        found = nodes.pids(0, CHILD) + nodes.pids(1, CHILD)
        if not found:
            continue
        child = dice.choice(found)
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            if losses[work := work_of(child)] < LOSSES:
                os.kill(dice.choice([child, parent_of(child)]), signal.SIGKILL)
                losses[work] += 1


@pytest.mark.parametrize(
    ("words", "jobs", "kills"),
    [(("train", "24", "4"), 24, 20), (("answer", "10", "4", "warm"), 10, 6)],
    ids=["fresh interpreters", "kept interpreters"],
)
def test_whatever_is_killed_at_random_nothing_is_lost_or_doubled(empty, words, jobs, kills):
    driver = start(empty, *words)
    until(lambda: empty.pids(0, CHILD) and empty.pids(1, CHILD))
    kill_at_random(empty, driver, kills)
    _, told, _ = finish(driver, jobs)
    assert 0 < told.count(" of 5") <= kills
    require_artifacts(empty.cache, jobs)


def test_a_driver_that_is_killed_at_random_four_times_ends_in_the_fifth(empty):
    dice = random.Random(4)
    for _ in range(4):
        driver = start(empty, "train", "12", "6")
        until(lambda: empty.pids(0, CHILD) or empty.pids(1, CHILD))
        time.sleep(dice.uniform(0, 4))
        kill_driver(empty, driver)
    finish(start(empty, "train", "12", "6"), 12)
    require_artifacts(empty.cache, 12)


def test_two_drivers_that_do_the_same_at_the_same_time_publish_it_once(empty):
    drivers = [start(empty, "train", "2", "20") for _ in range(2)]
    until(lambda: len(checkpoints(empty.cache)) == 4)
    both = [finish(driver, 2)[0] for driver in drivers]
    assert all(steps > 0 for done in both for _, steps in done), "each was done twice"
    require_artifacts(empty.cache, 2)


@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_work_waits_where_the_folder_of_artifacts_takes_nothing_for_a_while(empty, disks, fault):
    whole, published = disks
    published.fill() if fault == "full" else published.refuse()
    driver = start(empty, "train", "4", "2", cache=whole.folder)
    until(lambda: list(whole.folder.glob("scratch/ray/*/artifacts/toy-*/job.json")))
    time.sleep(5)  # in which it is tried to publish it
    assert driver.poll() is None
    assert artifacts(whole.folder) == []
    published.free() if fault == "full" else published.accept()
    _, told, _ = finish(driver, 4)
    assert "attempt" not in told
    require_artifacts(whole.folder, 4)


def test_a_shared_folder_that_is_full_ends_the_run_which_goes_on_when_there_is_room(empty, disks):
    whole, _ = disks
    driver = start(empty, "train", "4", "20", cache=whole.folder)
    until(lambda: len(checkpoints(whole.folder)) == 4)
    whole.fill()
    assert "the disk is full" in failure(driver)
    until(lambda: not empty.pids(0, CHILD) and not empty.pids(1, CHILD))
    whole.free()
    done, _, _ = finish(start(empty, "train", "4", "2", cache=whole.folder), 4)
    assert any(steps < 10 for _, steps in done), "from checkpoints"
    require_artifacts(whole.folder, 4)


def test_work_that_has_too_little_memory_ends_the_run_with_its_name_and_a_remedy(empty):
    said = failure(start(empty, "train", "2", "1:memory"))
    assert "job 0: not enough memory" in said
    assert "lower compute.workers" in said
    finish(start(empty, "train", "2", "1"), 2)


def test_work_that_the_system_kills_each_time_is_tried_five_times_and_named(empty):
    said = failure(start(empty, "train", "2", "1:killed"))
    assert "job 0: its interpreter was killed; attempt 5 of 5" in said
    assert "job 0, attempt 5: a worker process was killed" in said
    finish(start(empty, "train", "2", "1"), 2)
    require_artifacts(empty.cache, 2)


def test_a_node_with_another_version_of_the_kit_is_named_before_the_first_job(empty, tmp_path):
    other = tmp_path / "kit"
    shutil.copytree(PROJECT / "kit", other, ignore=shutil.ignore_patterns("__pycache__"))
    with (other / "digests.py").open("a") as code:
        code.write("# another version\n")
    empty.kill(1)
    empty.start(1, {PROJECT / "kit": other})
    said = failure(start(empty, "train", "2", "1"))
    assert "has another code of the kit than the driver" in said
    assert artifacts(empty.cache) == []
    empty.kill(1)
    empty.start(1)
