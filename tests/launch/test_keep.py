"""docker/keep.sh: what outlives a machine that disappears, and in which order it is written."""

import os
import shutil
import signal
import subprocess
import sysconfig
import time
from pathlib import Path

import pytest

from tests.cli.test_run_sh import REPOSITORY, make_program
from tests.runs.container_tools import tool

SCRIPT = REPOSITORY / "docker/keep.sh"
# One finished adapter, one in training, the base model for serving, and a result.
WORK = """#!/bin/bash
set -e
cd "$(dirname "$0")/.cache/artifacts"
mkdir -p finetune-vanilla-1 evaluate-serving-base-2 unlearn-npo-3.partial ../../results/smoke-1
echo weights >'finetune-vanilla-1/adapter model'
echo '{}' | tee finetune-vanilla-1/job.json >evaluate-serving-base-2/job.json
echo step 20 >unlearn-npo-3.partial/checkpoint
echo half >unlearn-npo-3.partial/adapter
echo '{}' >>attempts-smoke-1.jsonl
echo '{}' >../../results/smoke-1/run.json
touch ../../results/.smoke-1.lock
echo working
"""


class Machine:
    """A project in a folder with a space, whose command makes artifacts."""

    def __init__(self, root: Path, store: Path, work: str = WORK) -> None:
        self.root, self.store = root, store
        (root / "docker").mkdir(parents=True)
        for name in ("keep.sh", "messages.sh"):
            shutil.copy(REPOSITORY / "docker" / name, root / "docker")
        make_program(root / "work", work)

    def start(self, seconds: str = "300") -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.root / "docker/keep.sh"), str(self.store), str(self.root / "work")],
            env={"PATH": "/usr/bin:/bin", "PEBENCH_KEEP_SECONDS": seconds},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self) -> int:
        process = self.start()
        self.said, self.complaint = process.communicate(timeout=30)
        return process.returncode


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "the store").mkdir()
    return tmp_path / "the store"


KEPT = {
    "finetune-vanilla-1/adapter model",
    "finetune-vanilla-1/job.json",
    "unlearn-npo-3.partial/checkpoint",
    "attempts-smoke-1.jsonl",
}


def test_finished_work_checkpoints_and_results_are_kept_and_come_back(tmp_path, store):
    assert Machine(tmp_path / "first machine", store).run() == 0
    assert files(store / "artifacts") == KEPT
    assert files(store / "results") == {"smoke-1/run.json"}
    second = Machine(tmp_path / "second machine", store, "#!/bin/sh\nexit 5\n")
    assert second.run() == 5, "the command's own exit code"
    assert files(second.root / ".cache/artifacts") == KEPT


def test_work_is_kept_while_the_command_runs(tmp_path, store):
    machine = Machine(tmp_path / "machine", store, WORK + "sleep 60\n")
    process = machine.start(seconds="0.2")
    deadline = time.monotonic() + 20
    while files(store) != {f"artifacts/{name}" for name in KEPT}:
        assert time.monotonic() < deadline, files(store)
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)  # as when a machine disappears
    process.communicate(timeout=20)


def test_a_signal_reaches_the_command_and_its_work_is_kept(tmp_path, store):
    work = WORK + 'trap "echo stopping; exit 130" TERM\nsleep 60 & wait $!\n'
    process = Machine(tmp_path / "machine", store, work).start()
    assert process.stdout
    assert process.stdout.readline() == "working\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "stopping\n"
    assert process.wait(timeout=20) == 130
    assert files(store / "artifacts") == KEPT


def test_an_incomplete_copy_in_the_store_does_not_count_as_complete(tmp_path, store):
    """A machine disappeared while it copied, before job.json: the artifact is not restored."""
    half = store / "artifacts/finetune-vanilla-1"
    half.mkdir(parents=True)
    (half / "adapter model.part").write_text("wei")
    machine = Machine(tmp_path / "machine", store, "#!/bin/sh\nexit 0\n")
    assert machine.run() == 0
    assert files(machine.root / ".cache/artifacts") == set()
    assert Machine(tmp_path / "next machine", store).run() == 0
    assert (half / "adapter model").read_text() == "weights\n"
    assert (half / "job.json").is_file()


def test_the_checkpoint_of_a_finished_job_goes(tmp_path, store):
    machine = Machine(tmp_path / "machine", store)
    assert machine.run() == 0
    done = machine.root / ".cache/artifacts/unlearn-npo-3.partial"
    done.rename(done.with_suffix(""))
    (done.with_suffix("") / "job.json").write_text("{}")
    (machine.root / "work").write_text("#!/bin/sh\nexit 0\n")
    assert machine.run() == 0
    assert not (store / "artifacts/unlearn-npo-3.partial").exists()
    assert (store / "artifacts/unlearn-npo-3/job.json").is_file()


def test_a_result_that_is_made_again_replaces_the_kept_one(tmp_path, store):
    old = store / "results/smoke-1/old.json"
    old.parent.mkdir(parents=True)
    old.touch()
    assert Machine(tmp_path / "machine", store).run() == 0
    assert files(store / "results") == {"smoke-1/run.json"}


def test_a_missing_store_stops_before_the_command(tmp_path):
    machine = Machine(tmp_path / "machine", tmp_path / "nothing")
    assert machine.run() == 7
    assert machine.said == ""
    assert "remedy: mount it first" in machine.complaint


@pytest.mark.parametrize("seconds", ["often", "-1", "300 s", "5m", "0", "0.0", "1e3", "9" * 30])
def test_a_time_that_is_no_number_stops_before_the_command(tmp_path, store, seconds):
    """`sleep` would refuse it, and the copies beside the command and after it would be missing."""
    machine = Machine(tmp_path / "a machine", store)
    process = machine.start(seconds)
    said, complaint = process.communicate(timeout=30)
    assert process.returncode == 2
    assert not said, "the command has not begun"
    assert f"found: {seconds}" in complaint
    assert "remedy: export PEBENCH_KEEP_SECONDS=300" in complaint


def test_the_script_is_clean():
    shellcheck = Path(sysconfig.get_path("scripts")) / "shellcheck"
    for command in (
        [shellcheck, "--external-sources", SCRIPT],
        [tool("shfmt"), "-i", "2", "-ci", "-d", SCRIPT],
    ):
        checked = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout
