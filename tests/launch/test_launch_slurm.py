"""plan --emit slurm: valid options of sbatch, a clean script, and its behaviour at the time limit.

bash runs the script with substitutes for run.sh and scontrol.
"""

import os
import re
import signal
import subprocess
import sysconfig
import time
from pathlib import Path

import pytest

from kit.doctor.resources import Resources
from tests.cli.test_run_sh import make_program
from tests.launch.jobs import emit, gpu_text
from tests.toys.dataset import own_text

# From sbatch(1), with the form of their values.
OPTIONS = {
    "job-name": r"[a-z0-9_-]+", "nodes": "1", "ntasks": "1", "cpus-per-task": r"\d+",
    "mem": r"\d+[KMGT]", "gres": r"gpu:\d+", "time": r"\d+-\d\d:\d\d:\d\d", "output": r"\S+",
    "open-mode": "append", "requeue": "", "signal": r"B:USR1@\d+",
}  # fmt: skip
ODD = 'it\'s $HOME `x` "é" #;&.toml'


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PEBENCH_RESULTS", str(tmp_path / "results"))


def options(script: str) -> dict[str, str]:
    """Return sbatch's options; sbatch reads none after the first command."""
    head = script.split("\nset -euo pipefail\n")[0].splitlines()
    assert all(not line or line.startswith("#") for line in head)
    found = [line.removeprefix("#SBATCH --") for line in head if line.startswith("#SBATCH")]
    assert script.count("#SBATCH") == len(found)
    return {name: value for name, _, value in (option.partition("=") for option in found)}


def gpu_manifest(folder: Path, **changes: str) -> Path:
    path = folder / "gpu.toml"
    text = gpu_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return path


def test_every_option_is_sbatch_s(tmp_path):
    gpu = gpu_manifest(tmp_path)
    scripts = [emit("slurm"), emit("slurm", gpu, "--time", "1-02:03:04", "--image", "my kit.sif")]
    for script in scripts:
        assert script.startswith("#!/usr/bin/env bash\n")
        for name, value in options(script).items():
            assert re.fullmatch(OPTIONS[name], value), name
    assert options(scripts[1])["time"] == "1-02:03:04"


def test_a_cpu_job_asks_for_what_the_manifest_needs_and_for_no_gpu():
    asked = options(emit("slurm"))
    assert not {"gres", "time"} & set(asked)
    assert int(asked["mem"].rstrip("M")) << 20 >= Resources().memory + Resources().shared_memory
    assert asked["cpus-per-task"] == "2"


def test_each_worker_has_a_gpu(tmp_path):
    assert options(emit("slurm", gpu_manifest(tmp_path)))["gres"] == "gpu:2"


@pytest.mark.parametrize("arguments", [[], ["--time", "10:00:00", "--image", "a b'c.sif"]])
def test_shellcheck_finds_nothing(tmp_path, arguments):
    scripts = []
    for name, text in (("gpu.toml", gpu_text()), (ODD, own_text())):
        (tmp_path / name).write_text(text)
        scripts.append(tmp_path / f"{len(scripts)}.sbatch")
        scripts[-1].write_text(emit("slurm", tmp_path / name, *arguments))
    shellcheck = Path(sysconfig.get_path("scripts")) / "shellcheck"
    command = [shellcheck, "--exclude=SC2016", *scripts]  # a literal $ in a name
    checked = subprocess.run(command, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


class Node:
    """A project's folder with a substitute run.sh, and a scontrol that records its arguments."""

    def __init__(self, root: Path, script: str, run: str) -> None:
        self.root, self.script = root / "a project", root / "job.sbatch"
        (root / "tools").mkdir()
        self.root.mkdir()
        self.script.write_text(script)
        make_program(self.root / "run.sh", f"#!/bin/bash\n{run}\n")
        make_program(root / "tools/scontrol", f'#!/bin/sh\necho "$@" >>"{root}/scontrol"\n')
        self.calls = root / "scontrol"

    def start(self, **environment: str) -> subprocess.Popen[str]:
        path = f"{self.calls.parent / 'tools'}:{os.environ['PATH']}"
        given = {"SLURM_SUBMIT_DIR": str(self.root), "SLURM_JOB_ID": "17", "PATH": path}
        return subprocess.Popen(
            ["bash", str(self.script)],
            env=given | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def test_the_run_gets_its_arguments_and_the_job_its_exit_code(tmp_path):
    path = tmp_path / ODD
    path.write_text(own_text())
    script = emit("slurm", path, "--image", "my kit's.sif", "--offline")
    node = Node(tmp_path, script, 'printf "%s\\n" "$PWD" "$@"; exit 9')
    job = node.start()
    said, _ = job.communicate(timeout=20)
    assert job.returncode == 9
    expected = ["--runner", "apptainer", "--image", "my kit's.sif", "all", str(path), "--offline"]
    assert said.splitlines() == [str(node.root), *expected]


@pytest.mark.parametrize(("restarts", "called"), [("0", "requeue 17\n"), ("2", None)])
def test_before_its_time_limit_a_job_goes_back_into_the_queue(tmp_path, restarts, called):
    """The run continues until Slurm ends it. Here it finishes, and the job has its exit code."""
    node = Node(
        tmp_path, emit("slurm", "--restarts", "2"), "echo started; sleep 1.5; echo done; exit 4"
    )
    job = node.start(SLURM_RESTART_COUNT=restarts)
    assert job.stdout
    assert job.stdout.readline() == "started\n"
    time.sleep(0.3)
    job.send_signal(signal.SIGUSR1)
    said, complaint = job.communicate(timeout=20)
    assert (said, job.returncode) == ("done\n", 4)
    assert (node.calls.read_text() if node.calls.exists() else None) == called
    assert ("submit this file again" in complaint) == (called is None)


def test_a_job_that_is_not_in_a_project_or_has_no_token_says_so(tmp_path):
    (tmp_path / "cpu").mkdir()
    lost = Node(tmp_path / "cpu", emit("slurm"), "exit 0")
    (lost.root / "run.sh").unlink()
    job = lost.start()
    assert "submit this file in the project's folder" in job.communicate(timeout=20)[1]
    assert job.returncode == 3
    (tmp_path / "gpu").mkdir()
    gated = Node(tmp_path / "gpu", emit("slurm", gpu_manifest(tmp_path)), "exit 0")
    job = gated.start()
    assert "export HF_TOKEN" in job.communicate(timeout=20)[1]
    assert job.returncode == 1
    job = gated.start(HF_TOKEN="t")
    job.communicate(timeout=20)
    assert job.returncode == 0
