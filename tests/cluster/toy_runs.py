"""Runs of toy work on a real Ray cluster: started, watched, ended, and what they have left."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from kit.cluster.private_cache import FOLDER
from tests.cluster.ray_nodes import TwoNodes
from tests.cluster.toy_child import content_of
from tests.cluster.toy_driver import digests

LIMIT_S = 500  # for a driver, also on a busy machine
CHILD = "tests.cluster.toy_child"

Driver = subprocess.Popen[str]


def start(nodes: TwoNodes, *words: str, cache: Path | None = None) -> Driver:
    """Start a driver of toy work on the head.

    Args:
        words: those of `tests.cluster.toy_driver`, without the address.
        cache: the shared cache, if not that of the nodes.
    """
    return subprocess.Popen(
        nodes.python("-m", "tests.cluster.toy_driver", nodes.address, *words),
        env={**nodes.variables(), **({"PEBENCH_CACHE": str(cache)} if cache else {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(driver: Driver, jobs: int) -> tuple[list[list[int]], str, float]:
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


def failure(driver: Driver) -> str:
    """Return what a driver says that ends with an error."""
    _, err = driver.communicate(timeout=LIMIT_S)
    assert driver.returncode == 1, err
    return err


def kill_driver(nodes: TwoNodes, driver: Driver) -> None:
    """Kill a driver, and wait until what it had started has ended."""
    for pid in nodes.pids(0, "tests.cluster.toy_driver"):
        os.kill(pid, signal.SIGKILL)
    driver.communicate()
    until(lambda: not nodes.pids(0, CHILD) and not nodes.pids(1, CHILD), LIMIT_S)


def artifacts(cache: Path) -> list[Path]:
    """Return what has been published."""
    return sorted((cache / "artifacts").glob("toy-*"))


def require_artifacts(cache: Path, jobs: int) -> None:
    """Check that the shared cache holds each artifact, whole and once."""
    paths = [cache / "artifacts" / f"toy-job-{digest[:16]}" for digest in digests(jobs)]
    found = [path for path in (cache / "artifacts").iterdir() if path.name[0] != "."]
    assert sorted(paths) == sorted(found)
    for path, digest in zip(paths, digests(jobs), strict=True):
        assert (path / "content").read_bytes() == content_of(digest)
        assert (path / "job.json").is_file()


def until(true: Callable[[], object], seconds: float = LIMIT_S) -> None:
    """Wait for something."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.2)


def checkpoints(cache: Path) -> list[Path]:
    """Return the checkpoints of all attempts."""
    return list((cache / FOLDER).glob("*/artifacts/*.partial/checkpoint"))


def begun(nodes: TwoNodes, node: int, count: int = 1) -> bool:
    """Whether so many interpreters of a node are at work, and as many have a checkpoint."""
    return min(len(nodes.pids(node, CHILD)), len(checkpoints(nodes.cache))) >= count


def parent_of(pid: int) -> int:
    """Return the process that has started another one."""
    [found] = re.findall(r"PPid:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found)
