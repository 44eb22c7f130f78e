"""Toy work on a real Ray cluster of two nodes, while workers, nodes and drivers are killed.

The nodes are in network namespaces of this machine, so this needs root. Memory: 2 GB. A node that
does not start at once, on a busy machine, is started again.
"""

import os
import signal
import subprocess

import pytest

from tests.cluster.ray_nodes import ON_TWO_NODES, environment
from tests.cluster.toy_child import STEPS
from tests.cluster.toy_runs import (
    CHILD,
    LIMIT_S,
    artifacts,
    begun,
    checkpoints,
    finish,
    kill_driver,
    parent_of,
    require_artifacts,
    start,
    until,
)

pytestmark = ON_TWO_NODES


def test_ray_finds_what_it_needs_in_the_environment_that_only_it_has():
    done = subprocess.run(
        [environment() / "bin" / "python", "-m", "pip", "check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_24_jobs_on_two_nodes_are_each_done_once_and_with_the_right_bytes(empty):
    driver = start(empty, "train", "24", "2")
    until(lambda: empty.pids(0, CHILD) and empty.pids(1, CHILD))  # both nodes work
    done, _, seconds = finish(driver, 24)
    assert [steps for _, steps in done] == [STEPS] * 24
    assert len({pid for pid, _ in done}) == 24, "a fresh interpreter for each"
    require_artifacts(empty.cache, 24)
    print(f"24 jobs of 2 s on 4 CPUs of two nodes: {seconds:.1f} s, of which 12 s are the jobs'")


def test_kept_interpreters_do_one_piece_of_work_after_the_other(empty):
    done, _, _ = finish(start(empty, "answer", "12", "1", "warm"), 12)
    assert len({pid for pid, _ in done}) <= 4, "one for each of the four CPUs"
    require_artifacts(empty.cache, 12)


def test_what_a_killed_interpreter_and_a_killed_worker_were_at_goes_on(empty):
    driver = start(empty, "train", "6", "8")
    until(lambda: begun(empty, 0))
    os.kill(empty.pids(0, CHILD)[0], signal.SIGKILL)
    until(lambda: begun(empty, 1))
    os.kill(parent_of(empty.pids(1, CHILD)[0]), signal.SIGKILL)
    done, told, _ = finish(driver, 6)
    assert told.count("attempt 2 of 5") == 2, told
    assert sum(steps < STEPS for _, steps in done) >= 1, "from the checkpoint"
    require_artifacts(empty.cache, 6)


def test_a_driver_that_is_killed_comes_back_and_repeats_nothing(empty):
    driver = start(empty, "train", "8", "8")
    until(lambda: len(artifacts(empty.cache)) >= 2)
    kill_driver(empty, driver)
    before = {path.name: path.stat().st_ino for path in artifacts(empty.cache)}
    left = len(checkpoints(empty.cache))
    done, _, _ = finish(start(empty, "train", "8", "8"), 8)
    after = {path.name: path.stat().st_ino for path in artifacts(empty.cache)}
    assert before.items() <= after.items()
    assert sum(0 < steps < STEPS for _, steps in done) >= min(1, left), "from checkpoints"
    require_artifacts(empty.cache, 8)


def test_what_a_killed_node_was_at_is_done_on_another(empty):
    driver = start(empty, "train", "6", "8")
    until(lambda: begun(empty, 1))
    empty.kill(1)
    _, told, _ = finish(driver, 6)
    assert "attempt 2 of 5" in told
    require_artifacts(empty.cache, 6)
    empty.start(1)


@pytest.mark.parametrize("seconds", [5, 120], ids=["that ends at once", "that is cut off, too"])
def test_what_a_node_was_at_whose_cable_is_cut_is_done_on_another(empty, seconds):
    """The work of five seconds has ended and is tidied up before Ray holds its node dead."""
    driver = start(empty, "train", "4", str(seconds))
    until(lambda: begun(empty, 1))
    empty.cut()
    _, told, _ = finish(driver, 4)
    assert "its node is dead" in told or "Died" in told, told
    require_artifacts(empty.cache, 4)
    made = {path.name: path.stat().st_ino for path in artifacts(empty.cache)}
    empty.join()
    until(lambda: not empty.pids(1, CHILD))  # the node comes back, and ends
    assert {path.name: path.stat().st_ino for path in artifacts(empty.cache)} == made
    empty.kill(1)
    empty.start(1)


def test_without_its_head_a_run_ends_and_goes_on_after_the_cluster_is_started_again(empty):
    driver = start(empty, "train", "6", "8")
    until(lambda: begun(empty, 0) and begun(empty, 1))
    for pid in empty.pids(0, "gcs_server"):
        os.kill(pid, signal.SIGKILL)
    driver.communicate(timeout=LIMIT_S)
    assert driver.returncode != 0
    for number in (1, 0):
        empty.kill(number)
    for number in (0, 1):
        empty.start(number)
    finish(start(empty, "train", "6", "8"), 6)
    require_artifacts(empty.cache, 6)
