"""A killed fetch: no wrong file under a final name, and few bytes are downloaded twice."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.hub.fetching import commit_list, content, pattern

pytest_plugins = ["tests.hub.fixtures"]

REPOSITORY = Path(__file__).parents[2]
FILES = {f"part-{number}.bin": pattern(1_000_000, number) for number in range(4)}


@pytest.fixture
def slow_hub(hub, tmp_path):
    """A hub that sends 4 MB in about a second to two workers."""
    hub.add("owner/toy", FILES)
    commit_list(tmp_path, FILES)
    hub.pace = 0.004
    return hub


def start(tmp_path: Path, *arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.hub.fetch_child", str(tmp_path), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True
    )


def test_a_fetch_killed_at_half_downloads_only_the_other_half(slow_hub, tmp_path):
    # As many files as workers: at half none is complete, so a fetch that starts over would show.
    files = {f"half-{number}.bin": pattern(2_000_000, number) for number in range(2)}
    slow_hub.add("owner/toy", files)
    commit_list(tmp_path, files)
    total = sum(map(len, files.values()))
    child = start(tmp_path)
    while slow_hub.sent < total / 2:
        assert child.poll() is None, "it ended before half of the bytes"
        time.sleep(0.002)
    child.kill()
    child.communicate()
    assert not list((tmp_path / "toy").rglob("*.bin")), "a file was whole: nothing to go on with"
    time.sleep(0.1)  # what the server still had on the way
    slow_hub.heal()
    slow_hub.pace = 0.0
    again = start(tmp_path)
    again.communicate()
    assert again.returncode == 0
    assert content(tmp_path / "toy") == files
    assert slow_hub.sent <= 0.55 * total


@pytest.mark.slow
def test_a_hundred_kills_never_leave_a_bad_file_under_its_name(slow_hub, tmp_path):
    parent = start(tmp_path, "100")
    said, _ = parent.communicate()
    counts = json.loads(said)
    assert (counts["killed"], counts["bad"], counts["failed"]) == (100, 0, 0)
    assert counts["finished"] > 0, f"{counts}: no fetch ever got to its end between the kills"
    assert start(tmp_path).wait() == 0
    assert content(tmp_path / "toy") == FILES
