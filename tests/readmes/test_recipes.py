"""Recipes in READMEs work as they are written: their code blocks are extracted and run."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from kit.experiment.manifest_file import load_manifest
from kit.plan.jobs import make_plan
from kit.signing.keys import public_line
from tests.readmes.pages import PROJECT, block
from tests.toys.signed_result import KEY

# The loss of the README's method on a bigram model, and the formula by hand: both answer tokens
# follow A, whose probabilities are 0.1, 0.2, 0.3 and 0.4.
LOSS = """
from math import log
from kit.methods import registry
from tests.toys.policy import END, A, B, Bigram, batch_of, step_of
given = {"forget": batch_of(([A], [A, END])), "retain": batch_of(([A], [B, END]))}
step = step_of(Bigram(), Bigram(), **given)
loss = registry.build("max_entropy", {"retain_weight": 0.5}).loss(step)
forget = sum(p * log(4 * p) for p in (0.1, 0.2, 0.3, 0.4))
print(loss.item(), forget - 0.5 * log(0.4 * 0.5) / 2)
"""
needs_ssh_keygen = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None, reason="OpenSSH is not installed"
)


class Copy:
    """A copy of the project in which a recipe may write."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("kit", "manifests", "checksums"):
            ignored = shutil.ignore_patterns("__pycache__", "reference")
            shutil.copytree(PROJECT / name, root / name, ignore=ignored)

    def write(self, recipe: str) -> Path:
        """Write a block into the file that its first line names."""
        path = self.root / recipe.splitlines()[0].removeprefix("# ")
        path.write_text(recipe, encoding="utf-8")
        return path

    def run(self, *command: str, code: int = 0) -> str:
        """Run a command in the copy; it must end with `code`."""
        environment = {**os.environ, "PYTHONPATH": f"{self.root}:{PROJECT}"}
        environment["PEBENCH_CACHE"] = str(self.root / ".cache")
        done = subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def kit(self, *words: str, code: int = 0) -> str:
        """Run a verb in the copy."""
        return self.run(sys.executable, "-P", "-m", "kit", *words, code=code)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy(tmp_path_factory.mktemp("project") / "copy")


@pytest.mark.slow
def test_the_method_of_the_readme_is_planned_and_its_loss_is_the_formula(copy):
    page = "kit/methods/README.md"
    copy.write(block(page, "python", "METHOD ="))
    copy.write(block(page, "toml", "[[methods]]"))
    planned = copy.kit("plan", "--jobs", "manifests/max_entropy.toml")
    jobs = [line.split()[1:4] for line in planned.splitlines() if line.startswith("todo")]
    for target in ("person", "event"):
        assert ["unlearn", f"{target}-max-entropy-s1", "max_entropy,"] in jobs
    loss = copy.run(sys.executable, "-P", "-c", LOSS)
    found, expected = map(float, loss.split())
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
def test_the_method_of_the_readme_is_tried_and_its_error_is_the_one_that_is_shown(copy):
    page = "kit/methods/README.md"
    recipe = block(page, "python", "METHOD =")
    path = copy.write(recipe)
    copy.write(block(page, "toml", "[[methods]]"))
    (defaults, options) = block(page, "bash", "try-method").splitlines()
    tried = copy.kit(*options.partition("#")[0].split()[1:])
    assert (
        "method 'max_entropy' (kit/methods/max_entropy.py), options: retain_weight = 2.0" in tried
    )
    assert tried.count("\nok  ") == 7
    last = "return forget + self.retain_weight * step.retain_nll().mean()"
    path.write_text(recipe.replace(last, "return step.forget_nll()"), encoding="utf-8")
    said = copy.kit(*defaults.partition("#")[0].split()[1:], code=16)
    assert block(page, "", "error: method 'max_entropy'").strip() in said
    path.write_text(recipe, encoding="utf-8")


def test_a_manifest_that_extends_another_inherits_as_the_readme_says(tmp_path):
    recipe = block("manifests/README.md", "toml", "extends")
    shutil.copy(PROJECT / "manifests" / "smoke.toml", tmp_path)
    path = tmp_path / "mine.toml"
    path.write_text(recipe, encoding="utf-8")
    mine = load_manifest(path)
    base = load_manifest(PROJECT / "manifests" / "smoke.toml", calibrated=False)
    assert mine.unlearn.learning_rate != base.unlearn.learning_rate
    assert mine.unlearn.steps == base.unlearn.steps, "tables are merged key by key"
    assert (mine.seeds, mine.claims) == ((1, 2, 3), ()), "lists are replaced whole"
    assert mine.methods == base.methods
    path.write_text(recipe.replace("claims = []\n", ""), encoding="utf-8")
    assert load_manifest(path, calibrated=False).claims == base.claims, "claims are inherited too"


def test_the_probe_of_the_readme_is_one_more_column_of_a_manifest_that_extends_another(copy):
    recipe = block("manifests/README.md", "toml", "[[probes]]")
    start = 'extends = "smoke.toml"\nname = "related"\nclaims = []\n'
    (copy.root / "manifests" / "related.toml").write_text(start + recipe, encoding="utf-8")
    loaded = load_manifest(copy.root / "manifests" / "related.toml")
    assert [source.name for source in loaded.sources] == ["pebench", "relations"]
    said = copy.kit("plan", "manifests/related.toml")
    assert "`./run.sh lock manifests/related.toml` must write checksums/mmrel.sha256" in said


def test_the_model_of_the_readme_is_a_valid_manifest(tmp_path):
    recipe = block("kit/model/README.md", "toml", "[model.source]")
    shutil.copy(PROJECT / "manifests" / "pebench.toml", tmp_path)
    path = tmp_path / "pebench-mine.toml"
    path.write_text(recipe.replace("40 hexadecimal digits", "0" * 40), encoding="utf-8")
    model = load_manifest(path).model
    assert model.source.repo == "OWNER/NAME"
    assert model.source.repo_type == "model", "inherited"


def test_the_manifest_of_full_updates_is_planned_with_one_row_of_lora(tmp_path):
    shutil.copy(PROJECT / "manifests" / "smoke.toml", tmp_path)
    path = tmp_path / "mine.toml"
    path.write_text(block("kit/model/README.md", "toml", 'update = "full"'), encoding="utf-8")
    updates = {job.name: job.settings.update for job in make_plan(load_manifest(path)).jobs()}
    assert updates.pop("person-npo-lora-s1") == "lora"
    assert len(updates) == 5
    assert set(updates.values()) == {"full"}


def test_the_claim_of_the_readme_is_one_of_the_small_experiment():
    (claim,) = tomllib.loads(block("manifests/README.md", "toml", "[[claims]]"))["claims"]
    small = tomllib.loads((PROJECT / "manifests" / "smoke.toml").read_text(encoding="utf-8"))
    assert claim in small["claims"]


def test_the_tables_of_a_result_open_with_pandas_as_the_readme_says(monkeypatch, capsys):
    monkeypatch.chdir(PROJECT)
    found: dict[str, object] = {}
    exec(block("kit/README.md", "python", "read_parquet"), found)
    table = found["table"]
    assert isinstance(table, pd.DataFrame)
    told = table.groupby("system")["told"].mean()
    rows = pd.read_parquet("manifests/reference/smoke/rows.parquet").query(
        "target == 'person' and part == 'person' and column == 'efficacy' and metric == 'name_hit'"
    )
    values = rows.set_index("system")["value"]
    assert told["vanilla"] == values["vanilla"] == 1.0
    assert (told[values.index] - values).abs().max() < 1e-9
    assert "vanilla" in capsys.readouterr().out


@needs_ssh_keygen
def test_results_of_two_sizes_stand_side_by_side_as_the_readme_says(monkeypatch, capsys):
    result = PROJECT / "tests/compat/0.4.0/result"
    monkeypatch.setattr(sys, "argv", ["sizes.py", f"3B={result}", f"7B={result}"])
    exec(compile(block("manifests/README.md", "python", "# sizes.py"), "sizes.py", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["what", "gap", "person"]
    assert lines[1].split()[:3] == ["size", "3B", "7B"]
    whole = pd.read_csv(result / "report/whole_model.csv").set_index("method")
    (npo,) = [line.split() for line in lines if " NPO " in line]
    gap = f"{float(whole.gap_to_retain_only['NPO']):.2f}".rstrip("0")
    assert [value.rstrip("0") for value in npo[1:3]] == [gap, gap]


def test_an_authors_result_is_checked_with_openssh_as_the_readme_says():
    recipe = block("kit/signing/README.md", "bash", "ssh-keygen -Y verify")
    done = check_with_openssh(recipe, PROJECT / "manifests" / "reference" / "smoke")
    assert done.returncode == 0, done.stderr
    assert 'Good "pebench-results@v1" signature for author' in done.stdout


@needs_ssh_keygen
def test_any_result_is_checked_with_openssh_and_a_changed_file_is_found(damaged, tmp_path):
    allowed = tmp_path / "allowed"
    allowed.write_text(f"runner {public_line(KEY.public_key())}\n", encoding="utf-8")
    recipe = block("kit/signing/README.md", "bash", "ssh-keygen -Y verify")
    recipe = recipe.replace("PROJECT/checksums/allowed_signers", str(allowed))
    recipe = recipe.replace("-I author", "-I runner")
    assert check_with_openssh(recipe, damaged).returncode == 0
    (damaged / "rows.parquet").write_bytes(b"other rows")
    done = check_with_openssh(recipe, damaged)
    assert done.returncode != 0
    assert "rows.parquet: FAILED" in done.stdout


def check_with_openssh(recipe: str, result: Path) -> "subprocess.CompletedProcess[str]":
    recipe = recipe.replace("cd RESULT", f"cd {result}").replace("PROJECT", str(PROJECT))
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", recipe], capture_output=True, text=True, check=False
    )
