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
from kit.plan.without_packages import is_standing_in, locked_versions
from kit.supply_chain.locks import Package
from kit.supply_chain.slim_locks import PARTS

# Start-up files of the whole environment; they import nothing of the packages that they are for.
STARTED = {"setuptools", "torchvision"}
FULL = "manifests/smoke-full.toml"  # every method and attack of the kit
SCRIPT = """
import json, sys
from importlib.metadata import packages_distributions
from kit.plan import without_packages
without_packages.find_spec = lambda name: None  # as if none of them were installed
from kit.cli.entry import main
main(["plan", sys.argv[1]])
from pathlib import Path
from kit.experiment.manifest_file import load_manifest
from kit.plan.decided import artifacts_of
from kit.plan.jobs import make_plan
plan = make_plan(load_manifest(Path(sys.argv[1])))
print(json.dumps([artifact.digest for artifact in artifacts_of(plan)]))
print(type(sys.modules["torch"]).__name__, type(sys.modules["numpy"]).__name__)
owners = packages_distributions()
tops = {name.partition(".")[0] for name in sys.modules} - without_packages.LIBRARIES
print(json.dumps(sorted({owner for top in tops for owner in owners.get(top, ())})))
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
    *said, digests, modules, loaded = done.stdout.splitlines()
    assert modules == "_StandIn _StandIn", "nothing of torch or numpy was imported"
    packages = {Package(name, "").key for name in json.loads(loaded)}
    assert packages - STARTED <= {*PARTS["plan"][1]}, "the environment of a plan has no others"
    plan = make_plan(load_manifest(PROJECT / FULL))
    assert json.loads(digests) == [artifact.digest for artifact in artifacts_of(plan)]
    assert any(line.startswith("todo  npo ") for line in said)
    assert said[-1].startswith(f"memory and time: not estimated before `./run.sh doctor {FULL}`")
    assert not is_standing_in(), "a process with torch has no stand-in"


OWN = """
from kit.plan import without_packages
without_packages.find_spec = lambda name: None
with without_packages.without_packages():
    import numpy as np
    print(sum(np.array([1, 2])))
"""


def test_what_computes_without_its_package_is_told_what_is_missing():
    done = subprocess.run(
        [sys.executable, "-P", "-c", OWN],
        env={"PYTHONPATH": str(PROJECT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    error = done.stderr[done.stderr.index("kit.errors.EnvironmentFault") :]
    assert "this needs packages that are not installed yet" in error
    assert "found: TypeError: " in error
    assert "run `./run.sh doctor`" in error


def test_the_versions_of_the_lock_are_those_of_the_environment():
    found = {}
    for package in (*PACKAGES, *ENGINE_PACKAGES):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    assert found
    assert {package: locked_versions()[package] for package in found} == found
