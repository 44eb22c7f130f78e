"""Toy work on a real Ray cluster of two nodes, while workers, nodes and drivers are killed.

The nodes are in network namespaces of this machine, so this needs root. Memory: 2 GB. Ray gives up
where it cannot start its agents within 15 seconds, so this needs a machine that is not busy. The
tests that kill a node, a cable or a driver have not been seen to pass yet.
"""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.cluster.private_cache import FOLDER
from tests.cluster.ray_nodes import TwoNodes, environment, missing
from tests.cluster.toy_child import STEPS, content_of
from tests.cluster.toy_driver import digests

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(bool(missing()), reason=missing() or "nothing is missing"),
]
LIMIT_S = 500  # for a driver, also on a busy machine
CHILD = "tests.cluster.toy_child"


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoNodes]:
    environment()
    cache = tmp_path_factory.mktemp("cache")
    (cache / "artifacts").mkdir()
    with TwoNodes(cache, cpus=2) as both:
        yield both


@pytest.fixture
def empty(nodes: TwoNodes) -> TwoNodes:
    """The cluster, with a shared cache that holds nothing."""
    for folder in ("artifacts", FOLDER):
        subprocess.run(["rm", "-rf", nodes.cache / folder], check=True)
    (nodes.cache / "artifacts").mkdir()
    return nodes


def start(nodes: TwoNodes, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        nodes.python("-m", "tests.cluster.toy_driver", nodes.address, *words),
        env=nodes.variables(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(driver: "subprocess.Popen[str]", jobs: int) -> tuple[list[list[int]], str, float]:
    """Return what each job said, what the driver told, and the seconds; every job is done once."""
    out, err = driver.communicate(timeout=LIMIT_S)
    assert driver.returncode == 0, err
    # Ray tells on the same stream that a worker was killed.
    lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    done = [line["done"] for line in lines if "done" in line]
    assert sorted(line["place"] for line in lines if "place" in line) == sorted(
        f"job {n}" for n in range(jobs)
    )
    return done, err, lines[-1]["seconds"]


def require_artifacts(nodes: TwoNodes, jobs: int) -> list[dict[str, int]]:
    """Check that the shared cache holds each artifact, whole and once; return their records."""
    paths = [nodes.cache / "artifacts" / f"toy-job-{digest[:16]}" for digest in digests(jobs)]
    assert sorted(paths) == sorted((nodes.cache / "artifacts").iterdir())
    for path, digest in zip(paths, digests(jobs), strict=True):
        assert (path / "content").read_bytes() == content_of(digest)
    return [json.loads((path / "job.json").read_text()) for path in paths]


def until(true: object, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.2)


def begun(nodes: TwoNodes, node: int, count: int = 1) -> bool:
    """Whether so many interpreters of a node have a checkpoint."""
    pids = {str(pid) for pid in nodes.pids(node, CHILD)}
    return len(pids) >= count and len(checkpoints(nodes)) >= count


def checkpoints(nodes: TwoNodes) -> list[Path]:
    return list((nodes.cache / FOLDER).glob("*/artifacts/*.partial/checkpoint"))


def test_ray_finds_what_it_needs_in_the_environment_that_only_it_has():
    done = subprocess.run(
        [environment() / "bin" / "python", "-m", "pip", "check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_24_jobs_on_two_nodes_are_each_done_once_and_with_the_right_bytes(empty):
    driver = start(empty, "train", "24", "2")
    until(lambda: empty.pids(0, CHILD) and empty.pids(1, CHILD), LIMIT_S)  # both nodes work
    done, _, seconds = finish(driver, 24)
    assert [steps for _, steps in done] == [STEPS] * 24
    assert len({pid for pid, _ in done}) == 24, "a fresh interpreter for each"
    require_artifacts(empty, 24)
    print(f"24 jobs of 2 s on 4 CPUs of two nodes: {seconds:.1f} s, of which 12 s are the jobs'")


def test_kept_interpreters_do_one_piece_of_work_after_the_other(empty):
    done, _, _ = finish(start(empty, "answer", "12", "1", "warm"), 12)
    assert len({pid for pid, _ in done}) <= 4, "one for each of the four CPUs"
    require_artifacts(empty, 12)


def test_what_a_killed_interpreter_and_a_killed_worker_were_at_goes_on(empty):
    driver = start(empty, "train", "6", "8")
    until(lambda: begun(empty, 0), LIMIT_S)
    os.kill(empty.pids(0, CHILD)[0], signal.SIGKILL)
    until(lambda: begun(empty, 1), LIMIT_S)
    child = empty.pids(1, CHILD)[0]
    os.kill(int(re.findall(r"PPid:\s+(\d+)", Path(f"/proc/{child}/status").read_text())[0]), 9)
    done, told, _ = finish(driver, 6)
    assert told.count("attempt 2 of 5") == 2, told
    assert sum(steps < STEPS for _, steps in done) >= 1, "from the checkpoint"
    require_artifacts(empty, 6)


def test_a_driver_that_is_killed_comes_back_and_repeats_nothing(empty):
    driver = start(empty, "train", "8", "8")
    until(lambda: len(list((empty.cache / "artifacts").glob("toy-*"))) >= 2, LIMIT_S)
    for pid in empty.pids(0, "tests.cluster.toy_driver"):
        os.kill(pid, signal.SIGKILL)
    driver.communicate()
    until(lambda: not empty.pids(0, CHILD) and not empty.pids(1, CHILD), 60)
    before = {p.name: p.stat().st_ino for p in (empty.cache / "artifacts").glob("toy-*")}
    left = len(checkpoints(empty))
    done, _, _ = finish(start(empty, "train", "8", "8"), 8)
    after = {p.name: p.stat().st_ino for p in (empty.cache / "artifacts").glob("toy-*")}
    assert before.items() <= after.items()
    assert sum(0 < steps < STEPS for _, steps in done) >= min(1, left), "from checkpoints"
    require_artifacts(empty, 8)


def test_what_a_killed_node_was_at_is_done_on_another(empty):
    driver = start(empty, "train", "6", "8")
    until(lambda: begun(empty, 1), LIMIT_S)
    empty.kill(1)
    _, told, _ = finish(driver, 6)
    assert "attempt 2 of 5" in told
    require_artifacts(empty, 6)
    empty.start(1)


def test_what_a_node_was_at_whose_cable_is_cut_is_done_on_another(empty):
    driver = start(empty, "train", "4", "20")
    until(lambda: begun(empty, 1), LIMIT_S)
    empty.cut()
    _, told, _ = finish(driver, 4)
    assert "its node is dead" in told or "Died" in told, told
    require_artifacts(empty, 4)
