"""docker/jobs/ray_node.sh: several machines become one cluster, which runs the job once.

The machines are processes here, with a substitute run.sh: its `ray symmetric-run` runs the command
on the first machine, and waits for its end on the others, as Ray's does. The real one is tried in
tests/launch/test_ray_jobs.py.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from kit.artifacts import PROJECT
from tests.cli.test_run_sh import make_program

# What it is told, one line a call. A `ray symmetric-run` fails as FAILS says: RANK:HOW.
RUN_SH = """#!/bin/bash
printf '%s\\n' "$*" >>"$CALLS/$SLURM_PROCID"
while [[ $1 != ray && $1 != all ]]; do shift; done
case "$1 $2" in
  'ray --version') exit "${BUILD:-0}" ;;
  'all '*) echo "ran with $*"; sleep 1; exit "${CODE:-0}" ;;
esac
[[ $FAILS != "$SLURM_PROCID:lost" ]] || { echo 'raylet killed'; exit 1; }
[[ $FAILS != "$SLURM_PROCID:unstarted" ]] || exit 0
touch "$CALLS/up-$SLURM_PROCID"
if ((SLURM_PROCID > 0)); then
  until [[ -e $CALLS/over ]]; do sleep 0.1; done
  exit 0
fi
while [[ $1 != -- ]]; do shift; done
shift
code=0
"$@" || code=$?
touch "$CALLS/over"
exit "$code"
"""
LIMITS = {
    "PEBENCH_HEAD_START_SECONDS": "1",
    "PEBENCH_SIGN_SECONDS": "8",
    "PEBENCH_PREPARE_SECONDS": "8",
}
START = ["--num-cpus=2", "--num-gpus=0"]


class Machines:
    """Some machines with one project's folder, as a scheduler starts a job on them."""

    def __init__(self, root: Path) -> None:
        self.root, self.calls, self.cache = root / "a project", root / "calls", root / "my cache"
        self.calls.mkdir()
        (self.root / "docker/jobs").mkdir(parents=True)
        for name in ("messages.sh", "jobs/ray_node.sh", "jobs/keep_code.sh"):
            shutil.copy2(PROJECT / "docker" / name, self.root / "docker" / name)
        make_program(self.root / "run.sh", RUN_SH)

    def run(
        self, count: int = 3, caches: tuple[str, ...] = (), **variables: str
    ) -> list[tuple[int, str]]:
        """Return the exit code and the output of each machine."""
        started = []
        for rank in range(count):
            given = {"SLURM_PROCID": str(rank), "CALLS": str(self.calls), "FAILS": "", **LIMITS}
            given["PEBENCH_CACHE"] = caches[rank] if caches else str(self.cache)
            words = [str(count), "10.0.0.1:6379", "17-0", *START, "--", "--", "all", "my m.toml"]
            started.append(
                subprocess.Popen(
                    [self.root / "docker/jobs/ray_node.sh", *words],
                    env={"PATH": os.environ["PATH"], **given, **variables},
                    cwd=self.root,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
        said = [process.communicate(timeout=60)[0] for process in started]
        return [(p.returncode, text) for p, text in zip(started, said, strict=True)]

    def told(self, rank: int) -> list[str]:
        path = self.calls / str(rank)
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def machines(tmp_path: Path) -> Machines:
    return Machines(tmp_path)


@pytest.mark.parametrize("code", ["0", "15"])
def test_the_first_machine_runs_the_job_once_and_gives_its_exit_code(machines, code):
    done = machines.run(CODE=code)
    assert [each[0] for each in done] == [int(code), 0, 0]
    ran = [line for rank in range(3) for line in machines.told(rank) if line.startswith("all ")]
    assert ran == ["all my m.toml --executor ray --address 10.0.0.1:6379"]
    for rank in range(3):
        joins = [line for line in machines.told(rank) if "symmetric-run" in line]
        assert len(joins) == 1
        head, command = joins[0].split(" -- ")
        assert head == (
            "ray symmetric-run --address 10.0.0.1:6379 --min-nodes 3 --num-cpus=2 --num-gpus=0"
        )
        assert command.endswith("run.sh all my m.toml --executor ray --address 10.0.0.1:6379")
    assert not list((machines.cache / "scratch").iterdir()), "nothing is left of the meeting"
    assert (machines.cache / "CACHEDIR.TAG").read_text().startswith("Signature: ")


def test_only_the_first_machine_builds_the_environment_and_the_others_wait_for_it(machines):
    machines.run()
    assert machines.told(0)[0] == "ray --version"
    assert not any("--version" in line for rank in (1, 2) for line in machines.told(rank))


def test_an_environment_that_cannot_be_built_ends_the_job_on_all_machines(machines):
    done = machines.run(BUILD="3")
    assert [each[0] for each in done] == [3, 0, 0]
    assert not any("symmetric-run" in line for rank in range(3) for line in machines.told(rank))


def test_a_cache_that_is_not_shared_is_named_before_ray_starts(machines, tmp_path):
    own = tuple(str(tmp_path / f"cache {rank}") for rank in range(2))
    (first, said), (second, also) = machines.run(2, caches=own, PEBENCH_SIGN_SECONDS="2")
    assert first == second == 3
    assert f"do not share the cache {own[0]}" in said
    assert "found: node-0" in said
    assert f"do not share the cache {own[1]}" in also
    for text in (said, also):
        assert "id: PE-0304" in text
        assert "remedy: set PEBENCH_CACHE to a folder on a file system that all nodes share" in text
    assert not any(machines.told(rank) for rank in range(2))


def test_a_machine_that_does_not_come_is_missed_by_number(machines):
    [(code, said)] = [machines.run(1, PEBENCH_SIGN_SECONDS="1")[0]]
    assert code == 0, said
    words = ["3", "a:1", "18", "--", "--", "all", "m.toml"]
    done = subprocess.run(
        [machines.root / "docker/jobs/ray_node.sh", *words],
        env={
            "PATH": os.environ["PATH"], "SLURM_PROCID": "0", "PEBENCH_SIGN_SECONDS": "1",
            "PEBENCH_CACHE": str(machines.cache), "CALLS": str(machines.calls),
        },
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 3
    assert "expected: signs of 3 nodes" in done.stderr


def test_ray_that_does_not_start_is_an_error_although_it_ends_with_0(machines):
    done = machines.run(1, FAILS="0:unstarted")
    assert done[0][0] == 3
    assert "Ray did not start, or was ended" in done[0][1]
    assert "found: exit code 0, and the run did not end" in done[0][1]


def test_a_lost_machine_does_not_end_the_job(machines):
    done = machines.run(CODE="1", FAILS="2:lost")
    assert [each[0] for each in done] == [1, 0, 0], "the code is the run's"
    assert machines.told(0)[-1].startswith("all ")


def test_what_an_earlier_start_left_is_removed(machines):
    left = machines.cache / "scratch/ray-job-17-0"
    left.mkdir(parents=True)
    (left / "code").write_text("0\n")
    assert machines.run(1, FAILS="0:unstarted")[0][0] == 3, "the code is not the earlier one"


def test_in_a_container_the_command_has_the_paths_of_the_image(machines):
    words = ["1", "a:1", "19", "--", "--runner", "docker", "--image", "my kit", "--"]
    subprocess.run(
        [machines.root / "docker/jobs/ray_node.sh", *words, "all", "m.toml"],
        env={
            "PATH": os.environ["PATH"], "SKYPILOT_NODE_RANK": "0", "SLURM_PROCID": "0",
            "PEBENCH_CACHE": str(machines.cache), "CALLS": str(machines.calls),
            "FAILS": "0:unstarted",
        },
        capture_output=True,
        text=True,
    )  # fmt: skip
    build, join = machines.told(0)
    assert build == "--runner docker --image my kit ray --version"
    assert join.startswith("--runner docker --image my kit ray symmetric-run --address a:1")
    assert join.endswith(
        f" -- /opt/pebench/docker/jobs/keep_code.sh {machines.cache}/scratch/ray-job-19/code "
        "/opt/pebench/run.sh all m.toml --executor ray --address a:1"
    )


@pytest.mark.parametrize("code", [0, 7])
def test_a_code_is_kept_with_every_word_of_the_command(tmp_path, code):
    file = tmp_path / "my code"
    words = [PROJECT / "docker/jobs/keep_code.sh", file, "bash", "-c", f'echo "$1"; exit {code}']
    done = subprocess.run([*words, "x", "a  b"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (code, "a  b\n")
    assert json.loads(file.read_text()) == code


@pytest.mark.parametrize(
    "name", ["PEBENCH_SIGN_SECONDS", "PEBENCH_HEAD_START_SECONDS", "PEBENCH_PREPARE_SECONDS"]
)
@pytest.mark.parametrize("rank", ["0", "1"])
def test_a_time_that_is_no_number_is_named_on_every_node(machines, name, rank):
    words = ["2", "a:1", "18", "--", "--", "all", "m.toml"]
    done = subprocess.run(
        [machines.root / "docker/jobs/ray_node.sh", *words],
        env={
            "PATH": os.environ["PATH"], "SLURM_PROCID": rank, name: "soon",
            "PEBENCH_CACHE": str(machines.cache), "CALLS": str(machines.calls),
        },
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert f"error: {name} is no time" in done.stderr
    assert "found: soon" in done.stderr
