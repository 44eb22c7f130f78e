"""A job of two machines with a real Ray: each machine is a network namespace of this one.

srun, scontrol and apptainer are substitutes; run.sh, `ray symmetric-run` and all it starts are not.
In place of `all` the job runs `plan`, which asks every node what it is. Needs root; takes minutes.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress

import pytest

from kit.artifacts import PROJECT, cache_root
from tests.cli.test_run_sh import make_program
from tests.cluster.ray_nodes import environment, missing
from tests.launch.jobs import emit

LACKING = missing() or ("" if shutil.which("unshare") else "the command unshare is needed")
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(bool(LACKING), reason=LACKING or "nothing is missing"),
]
LIMIT_S = 900
# Each machine sees its own processes and temporary folder only: `ray stop` ends every Ray it sees.
SRUN = """#!/bin/bash
while [[ $1 == --* ]]; do shift; done
machine() { # RANK COMMAND...
  SLURM_PROCID=$1 timeout --kill-after=10 800 ip netns exec "$SPACE$1" \\
    unshare --pid --fork --kill-child --mount --mount-proc \\
    bash -c 'mount -t tmpfs none "$RAY_TMPDIR" && exec "$@"' x "${@:2}" >"$LOGS/$1" 2>&1
}
machine 0 "$@" & first=$!
machine 1 "$@" & second=$!
wait "$second" || exit
wait "$first"
"""
SCONTROL = '#!/bin/sh\nprintf "%s\\n" "$NET.1" "$NET.2"\n'
# What stands before the image is apptainer's, what follows is the command of the image's run.sh.
APPTAINER = """#!/bin/bash
while [[ $1 != *.sif ]]; do shift; done
shift
exec "$IMAGE/run.sh" "${@//\\/opt\\/pebench/$IMAGE}"
"""
# For a busy machine; Ray's own limits are 15 and 30 s.
PATIENCE = {
    "RAY_agent_register_timeout_ms": "600000",
    "RAY_raylet_start_wait_time_s": "300",
    "PEBENCH_SIGN_SECONDS": "300",
}


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def space() -> Iterator[tuple[str, str]]:
    """Two namespaces with a cable between them: their names without number, and the network."""
    name, net = f"pbj{os.getpid() % 10000}", f"10.{os.getpid() % 200 + 20}.78"
    try:
        for number in (0, 1):
            ip("netns", "add", f"{name}{number}")
        ip("link", "add", f"{name}a", "type", "veth", "peer", "name", f"{name}b")
        for number, cable in enumerate((f"{name}a", f"{name}b")):
            inside = f"{name}{number}"
            ip("link", "set", cable, "netns", inside)
            ip("-n", inside, "addr", "add", f"{net}.{number + 1}/24", "dev", cable)
            for device in ("lo", cable):
                ip("-n", inside, "link", "set", device, "up")
            ip("-n", inside, "route", "add", "default", "via", f"{net}.{2 - number}")
        yield name, net
    finally:
        for number in (0, 1):
            found = subprocess.run(
                ["ip", "netns", "pids", f"{name}{number}"], capture_output=True, text=True
            )
            for pid in found.stdout.split():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), 9)
            subprocess.run(["ip", "netns", "delete", f"{name}{number}"], check=False)


def test_a_job_of_slurm_makes_one_cluster_of_its_nodes_runs_there_and_ends(tmp_path, space):
    environment()
    name, net = space
    temporary = tempfile.mkdtemp(prefix="rt-", dir="/tmp")  # the paths of sockets are limited
    tools, logs = tmp_path / "tools", tmp_path / "logs"
    for folder in (tools, logs):
        folder.mkdir()
    make_program(tools / "srun", SRUN)
    make_program(tools / "scontrol", SCONTROL)
    make_program(tools / "apptainer", APPTAINER)
    image = tmp_path / "kit.sif"
    image.touch()
    path = PROJECT / "manifests/smoke.toml"
    script = emit("slurm", path, "--executor", "ray", "--nodes", "2", "--image", image)
    assert " -- all manifests/smoke.toml &" in script
    (tmp_path / "job.sbatch").write_text(script.replace(" -- all ", " -- plan "))
    done = subprocess.run(
        ["bash", tmp_path / "job.sbatch"],
        env={
            **os.environ, **PATIENCE, "PATH": f"{tools}:{os.environ['PATH']}",
            "SPACE": name, "NET": net, "LOGS": str(logs), "IMAGE": str(PROJECT),
            "RAY_TMPDIR": temporary, "PEBENCH_CACHE": str(cache_root()),
            "SLURM_SUBMIT_DIR": str(PROJECT), "SLURM_JOB_ID": str(os.getpid()),
            "SLURM_JOB_NODELIST": "n[1-2]",
        },
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )  # fmt: skip
    os.rmdir(temporary)
    said = [(logs / str(rank)).read_text() for rank in (0, 1)]
    assert done.returncode == 0, said[0][-3000:]
    assert "ray: room for 4 pieces of work at a time" in said[0]
    assert all(f"  {net}.{number} " in said[0] for number in (1, 2))
    assert "On worker node. Connecting to Ray cluster" in said[1]
    assert "room for" not in said[1], "the job runs once"
