"""While a first call installs large packages, it says what it can already know."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kit.artifacts import PROJECT
from kit.signing.keys import public_line
from kit.supply_chain import slim, slim_locks
from kit.supply_chain.locks import Package
from tests.toys.signed_result import KEY

REFERENCE = "manifests/reference/smoke"
# A module that is None cannot be imported: as before these packages are installed.
MISSING = """
import json, sys
from importlib.metadata import packages_distributions
for name in ("numpy", "pandas", "pyarrow", "PIL", "rouge_score", "jinja2", "torch"):
    sys.modules[name] = None
import runpy
module, *sys.argv[1:] = sys.argv[1:]
try:
    runpy.run_module(module, run_name="__main__", alter_sys=True)
finally:
    owners = packages_distributions()
    tops = {name.partition(".")[0] for name, there in sys.modules.items() if there}
    print(json.dumps(sorted({owner for top in tops for owner in owners.get(top, ())})))
"""
STARTED = {"setuptools", "torchvision"}  # start-up files of the whole environment


def early(*words: str, cache: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-P", "-c", MISSING, *words],
        env={"PYTHONPATH": str(PROJECT), "PATH": "", "PEBENCH_CACHE": str(cache)},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "words",
    [
        ["kit", "verify", REFERENCE, "--policy", "integrity"],
        ["kit", "verify", REFERENCE, "--policy", "integrity", "--json"],
        ["kit.verification.introduction", REFERENCE],
    ],
)
def test_a_first_look_needs_the_packages_of_its_part_and_no_others(words, tmp_path):
    import json

    done = early(*words, cache=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "221 files are exactly" in done.stdout or "smoke-reference-" in done.stderr
    packages = {Package(name, "").key for name in json.loads(done.stdout.splitlines()[-1])}
    assert packages - STARTED <= {*slim_locks.PARTS["integrity"][1]}


def test_a_result_says_its_run_its_kit_and_what_it_holds(signed, tmp_path):
    shutil.copytree(signed, tmp_path / "broken")
    (tmp_path / "broken" / "run.json").write_text("[" * 100_000)
    folders = [str(tmp_path / "broken"), str(signed), str(tmp_path / "none")]
    done = early("kit.verification.introduction", *folders, cache=tmp_path / "c")
    assert done.returncode == 0
    (said,) = done.stderr.splitlines()
    assert said.startswith(f"  {signed} says: ")
    assert "made by kit 0." in said
    assert said.endswith(" claims")


@pytest.mark.parametrize(
    ("words", "module"),
    [
        (["verify", REFERENCE], "kit"),
        (["verify", REFERENCE, "--trust", "key.pub"], "kit"),
        (["compare", "results/a", REFERENCE], "kit.verification.introduction"),
        (["verify", REFERENCE, "--claims", "m.toml"], "kit.verification.introduction"),
        (["verify", REFERENCE, "--identity=x", "--issuer=y"], "kit.verification.introduction"),
        (["verify", REFERENCE, "--json"], None),
        (["verify", REFERENCE, "--policy", "integrity"], None),
        (["verify", "manifests/smoke.toml"], None),
        (["compare", "a", "b"], None),
        (["plan"], None),
    ],
)
def test_each_verb_that_reads_a_result_begins_with_a_look_at_it(words, module, monkeypatch):
    called = []

    def call(python, *words):
        called.append(words)
        return subprocess.CompletedProcess(words, 0, "ok  signed\n")

    monkeypatch.setattr(slim, "_call", call)
    look = slim._first_look(words)
    assert (look is None) == (module is None)
    if look:
        look(Path(sys.executable))
        assert [each[0] for each in called] == [module]


def test_a_result_that_is_refused_at_the_first_look_needs_no_other_package(
    damaged, tmp_path, monkeypatch, capfd
):
    (tmp_path / "key.pub").write_text(public_line(KEY.public_key()))
    trust = ["--trust", str(tmp_path / "key.pub")]
    look = slim._first_look(["verify", str(damaged), *trust])
    look(Path(sys.executable))
    said = capfd.readouterr().err
    assert "  ok  signed by" in said
    assert "now the packages that recompute every number" in said
    (damaged / "rows.parquet").write_bytes(b"another")
    with pytest.raises(SystemExit) as stopped:
        look(Path(sys.executable))
    assert stopped.value.code == 1
    assert "rows.parquet" in capfd.readouterr().err


def test_a_look_that_fails_ends_no_verb(monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "")
    monkeypatch.setattr(slim, "_call", lambda python, *words: failed)
    slim._first_look(["compare", REFERENCE, REFERENCE])(Path(sys.executable))
