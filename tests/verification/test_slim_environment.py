"""The verbs of a reviewer need no package that the slim environment has not."""

import json
import subprocess
import sys

import pytest

from kit.artifacts import PROJECT
from kit.signing.keys import public_line
from kit.supply_chain.locks import Package, read_lock
from tests.toys.signed_result import KEY, copy_of

LOADED = """
import importlib.metadata, json, runpy, sys

try:
    runpy.run_module("kit", run_name="__main__")
except SystemExit as end:
    # A result without claims reproduces nothing, not even itself.
    assert not end.code or sys.argv[1] == "compare", end.code
owners = importlib.metadata.packages_distributions()
tops = {name.partition(".")[0] for name in sys.modules}
print(json.dumps(sorted({owner for top in tops for owner in owners.get(top, ())})))
"""
# A start-up file of the whole environment; it imports nothing of the packages that it is for.
STARTED = {"torchvision"}


@pytest.mark.parametrize("verb", ["verify", "rescore", "compare", "report", "sign", "keygen"])
def test_a_reviewers_verb_imports_nothing_that_its_lock_has_not(signed, tmp_path, verb):
    result = copy_of(signed, tmp_path) if verb == "sign" else signed
    results = [str(result)] * {"compare": 2, "keygen": 0}.get(verb, 1)
    key = tmp_path / "key.pub"
    key.write_text(public_line(KEY.public_key()))
    words = ["--trust", str(key)] if verb in ("verify", "report") else []
    if verb == "report":
        words += ["--to", str(tmp_path / "out"), "--as", "every-eval-ever"]
    done = subprocess.run(
        [sys.executable, "-P", "-c", LOADED, verb, *results, *words],
        env={"PYTHONPATH": str(PROJECT), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded = {Package(name, "").key for name in json.loads(done.stdout.splitlines()[-1])}
    locked = {package.key for package in read_lock(PROJECT / "docker/requirements.verify.lock")}
    assert loaded - locked <= STARTED
    assert verb in ("sign", "keygen") or {"pandas", "pyarrow", "numpy"} <= loaded
