"""A plan before the environment exists is the plan that the environment makes."""

import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

from kit.artifacts import PROJECT
from kit.experiment.manifest_file import load_manifest
from kit.plan.decided import artifacts_of
from kit.plan.digests import ENGINE_PACKAGES, PACKAGES
from kit.plan.jobs import make_plan
from kit.plan.without_torch import is_standing_in, locked_versions

FULL = "manifests/smoke-full.toml"  # every method and attack of the kit
SCRIPT = """
import json, sys
from kit.plan import without_torch
without_torch.find_spec = lambda name: None  # as if torch were not installed
from kit.cli.entry import main
main(["plan", sys.argv[1]])
from pathlib import Path
from kit.experiment.manifest_file import load_manifest
from kit.plan.decided import artifacts_of
from kit.plan.jobs import make_plan
plan = make_plan(load_manifest(Path(sys.argv[1])))
print(json.dumps([artifact.digest for artifact in artifacts_of(plan)]))
print(type(sys.modules["torch"]).__name__)
"""


def test_a_plan_with_the_stand_in_is_the_same_plan(tmp_path):
    done = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT, FULL],
        env={"PYTHONPATH": str(PROJECT), "PATH": "", "PEBENCH_CACHE": str(tmp_path)},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *said, digests, module = done.stdout.splitlines()
    assert module == "_StandIn", "nothing of torch was imported"
    plan = make_plan(load_manifest(PROJECT / FULL))
    assert json.loads(digests) == [artifact.digest for artifact in artifacts_of(plan)]
    assert any(line.startswith("todo  npo ") for line in said)
    assert said[-1].startswith(f"memory and time: after `./run.sh doctor {FULL}` has built")
    assert not is_standing_in(), "a process with torch has no stand-in"


def test_the_versions_of_the_lock_are_those_of_the_environment():
    found = {}
    for package in (*PACKAGES, *ENGINE_PACKAGES):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    assert found
    assert {package: locked_versions()[package] for package in found} == found
