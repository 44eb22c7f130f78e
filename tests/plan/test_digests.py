"""What a change of the code re-does: the jobs whose numbers it may change, and no others."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kit import code
from kit.artifacts import PROJECT
from kit.experiment.manifest_file import load_manifest
from kit.experiment.settings import MethodSection
from kit.plan.digests import agreement_digest
from kit.plan.jobs import make_plan
from kit.stages.collect import MADE_EARLIER
from tests.toys.dataset import TOY

REFUSING = ["dpo", "manu", "po", "siu", "smfa"]  # MANU and SMFA learn refusals, too
MORE = tuple(
    MethodSection(name=name, label=name, method=name, targets=("person",))
    for name in ("manu", "smfa")
)
MANIFEST = load_manifest(TOY)
MANIFEST = MANIFEST.model_copy(update={"methods": (*MANIFEST.methods, *MORE)})
IGNORED = shutil.ignore_patterns("__pycache__", "reference")
PRINT = """
import json
from kit.plan.jobs import make_plan
from tests.plan.test_digests import MANIFEST, digests
print(json.dumps(digests(make_plan(MANIFEST))))
"""


def digests(plan):
    """Return every artifact of a plan by name."""
    made = [job.artifact for job in plan.jobs()] + [plan.serving]
    made += [each for s in plan.systems for each in (s.answers, s.likelihoods) if each]
    return {f"{artifact.stage} {artifact.name}": artifact.digest for artifact in made}


BEFORE = digests(make_plan(MANIFEST))
TRAINED = {name for name in BEFORE if name.startswith(("finetune", "unlearn"))}


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the code, which plans read in this test instead of the real one."""
    shutil.copytree(PROJECT / "kit", tmp_path / "kit", ignore=IGNORED)
    monkeypatch.setattr(code, "ROOT", tmp_path)
    return tmp_path / "kit"


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path}: {old!r}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def changed():
    """Return what is made again."""
    after = digests(make_plan(MANIFEST))
    return {name for name in BEFORE if BEFORE[name] != after[name]}


def jobs_of(*methods):
    return {
        f"unlearn {job.name}" for job in make_plan(MANIFEST).unlearn if job.entry.method in methods
    }


def answers_of(jobs):
    return {job.replace("unlearn", "evaluate").replace("finetune", "evaluate") for job in jobs}


def test_a_copy_of_the_code_has_the_same_digests(copy):
    assert changed() == set()


def test_a_need_with_its_preparation_a_comment_and_a_method_re_do_nothing(tmp_path):
    """In a process of its own, because `Needs` itself is another class there."""
    for name in ("kit", "manifests", "checksums", "tests"):
        shutil.copytree(PROJECT / name, tmp_path / name, ignore=IGNORED)
    kit = tmp_path / "kit"
    edit(
        kit / "methods" / "needs.py",
        "    training: bool = True\n",
        "    answers_in_verse: bool = False\n    training: bool = True\n",
    )
    edit(kit / "training" / "loop.py", "REPORT_SECONDS = 20.0", "REPORT_SECONDS = 20.0  # seconds")
    edit(kit / "model" / "base.py", '"""Return the current', '"""Give the current')
    edit(kit / "training" / "steps.py", "\n\ndef _sets(", "\n\n\n# Two sets.\ndef _sets(")
    mine = (kit / "methods" / "npo.py").read_text(encoding="utf-8")
    mine = mine.replace("Needs(retain=True,", "Needs(retain=True, answers_in_verse=True,")
    (kit / "methods" / "mine.py").write_text(mine, encoding="utf-8")
    prepared = (kit / "training" / "preparation" / "retain.py").read_bytes()
    (kit / "training" / "preparation" / "answers_in_verse.py").write_bytes(prepared)
    (kit / "methods" / "README.md").write_text("Other words.")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", PRINT], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == BEFORE


@pytest.mark.parametrize(
    ("name", "old", "new", "methods"),
    [
        ("methods/npo.py", "* 2 / beta", "* 3 / beta", ["npo"]),
        (
            "methods/balanced_grad_diff.py",
            "len(means) *",
            "2 *",
            ["balanced_grad_diff", "balanced_kl_min"],
        ),
        (
            "training/preparation/refusals.py",
            'stream("refusal"',
            'stream("a refusal"',
            REFUSING,
        ),
        ("experiment/refusals.py", "I do not know.", "I don't know.", REFUSING),
        ("training/preparation/single_image.py", "lambda r: r.id", "lambda r: r.answer", ["siu"]),
    ],
)
def test_a_statement_re_does_the_jobs_of_the_methods_that_it_decides(copy, name, old, new, methods):
    edit(copy / name, old, new)
    jobs = jobs_of(*methods)
    assert jobs
    assert changed() == jobs | answers_of(jobs)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("training/loop.py", "FORGOTTEN_SHARE = 0.95", "FORGOTTEN_SHARE = 0.9"),
        ("training/sampling.py", "step * count + offset", "step * count + 1 + offset"),
        ("methods/step.py", ".clamp(max=1)", ".clamp(max=2)"),
        ("model/likelihood.py", "logits[:, :-1].float()", "logits[:, :-1].double()"),
        ("benchmarks/pebench/splits.py", "len(people) // 2", "len(people) // 3"),
        ("streams.py", "[:16], 16)", "[:15], 16)"),
    ],
)
def test_a_statement_of_what_all_training_shares_re_does_all_of_it(copy, name, old, new):
    edit(copy / name, old, new)
    assert changed() >= TRAINED


def test_the_base_that_serves_is_not_made_again_for_what_training_does(copy):
    edit(copy / "training" / "loop.py", "FORGOTTEN_SHARE = 0.95", "FORGOTTEN_SHARE = 0.9")
    assert "evaluate serving-base" not in changed()


def test_how_questions_are_asked_re_does_answers_alone(copy):
    path = copy / "evaluation" / "questions.py"
    path.write_text(path.read_text(encoding="utf-8") + "\nMORE = 1\n", encoding="utf-8")
    assert changed() == {n for n in BEFORE if n.startswith("evaluate")} - {"evaluate serving-base"}


@pytest.mark.parametrize(
    "name",
    [
        "console.py", "errors.py", "plan/jobs.py", "sources/places.py", "cli/verbs.py",
        "report/pages.py", "metrics/scores.py",
    ],
)  # fmt: skip
def test_what_decides_no_number_of_a_job_re_does_nothing(copy, name):
    path = copy / name
    path.write_text(path.read_text(encoding="utf-8") + "\nMORE = 1\n", encoding="utf-8")
    assert changed() == set()


@pytest.mark.parametrize(
    "name", [".DS_Store", ".loop.py.swp", "loop.py~", "__pycache__/loop.cpython-311.pyc.1397"]
)
def test_what_an_editor_or_python_leaves_beside_the_code_re_does_nothing(copy, name):
    path = copy / "training" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"left")
    assert changed() == set()


def test_a_new_module_counts_as_soon_as_it_is_imported(copy):
    (copy / "training" / "noise.py").write_text("NOISE = 1\n", encoding="utf-8")
    imported = "\n\ndef more() -> None:\n    from kit.training.noise import NOISE  # noqa\n"
    assert "kit/training/noise.py" not in code.code_of(["kit.training.worker"])
    path = copy / "model" / "memory.py"
    path.write_text(path.read_text(encoding="utf-8") + imported, encoding="utf-8")
    code._code_of.cache_clear()
    code._read.cache_clear()
    assert "kit/training/noise.py" in code.code_of(["kit.training.worker"])


@pytest.mark.parametrize("worker", ["attacking", "optimising", "probing"])
def test_how_answers_are_measured_and_judged_re_does_no_answer_under_attack(worker):
    asked = code.code_of([f"kit.evaluation.{worker}", *code.modules_under("kit.attacks")])
    measuring = ("kit/metrics/", "kit/verdicts/", "kit/report/", "kit/experiment/claims.py")
    assert "kit/evaluation/asking.py" in asked
    assert not [name for name in asked if name.startswith(measuring)]


def test_the_split_renames_what_follows_it_and_not_the_vanilla_model():
    for key, value, same in (
        ("seed", 7, {"finetune vanilla", "evaluate serving-base"}),
        ("max_per_column", 200, TRAINED | {"evaluate serving-base"}),
    ):
        document = MANIFEST.resolved()
        document["split"][key] = value
        after = digests(make_plan(type(MANIFEST).model_validate(document)))
        assert {name for name in BEFORE if BEFORE[name] == after[name]} == same


def test_a_result_is_made_again_for_every_module_that_writes_into_it():
    entries = ["kit.stages.collect", "kit.benchmarks.pebench"]
    found = set(code.code_of(entries, outside=MADE_EARLIER))
    writers = (
        "supply_chain/provenance", "supply_chain/machine", "gpus", "sources/places",
        "experiment/disclosure", "stages/attempts", "stages/costs", "stages/record_tables",
        "result/run_file", "result/tables", "metrics/rows", "verdicts/judging", "report/pages",
        "benchmarks/records", "benchmarks/words", "artifacts", "__init__",
    )  # fmt: skip
    assert {f"kit/{name}.py" for name in writers} <= found
    assert "kit/report/templates/report.html.j2" in found
    assert not [name for name in found if name.startswith(("kit/training", "kit/model", "kit/cli"))]


def test_every_module_left_outside_exists():
    for name in (*code.OUTSIDE, *MADE_EARLIER):
        assert code.path_of(name) is not None, name
        assert isinstance(code.path_of(name), Path)


def test_a_second_look_is_repeated_where_it_reads_another_number_of_answers():
    """Of few systems, more answers of each are read; from 13 systems on, 16."""
    evaluation = MANIFEST.evaluation.model_copy(update={"agreement_sample": 200})
    manifest = MANIFEST.model_copy(update={"evaluation": evaluation})
    assert [evaluation.read_again(n) for n in (1, 4, 12, 13, 27)] == [200, 50, 17, 16, 16]
    digests = [agreement_digest(manifest, "answers", n) for n in (4, 5, 13, 27)]
    assert len(set(digests)) == 3
    assert digests[2] == digests[3]
