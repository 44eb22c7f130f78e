"""The grid of tuning: its attempts by hand, what is refused, and what an absent section changes."""

import json
import re
import shutil

import pytest

from kit.artifacts import PROJECT
from kit.cli.entry import main
from kit.errors import ManifestError
from kit.experiment.grid import attempts_manifest, attempts_of
from kit.experiment.manifest_file import load_manifest
from kit.plan.attacks import attack_jobs
from kit.plan.jobs import make_plan
from kit.plan.names import require_names
from kit.stages import run as stages
from tests.toys.dataset import TOY
from tests.toys.work import ToyWork, make

COMMITTED = sorted((PROJECT / "manifests").glob("*.toml"))
MANIFEST = """
extends = "experiment.toml"
name = "toy"
seeds = [1, 2]
claims = []
targets = ["person"]

[[methods]]
name = "npo"
label = "NPO"
method = "npo"
targets = ["person"]
options = { retain_weight = 2.0 }

[[methods]]
name = "ga"
label = "GA"
method = "grad_ascent"
targets = ["person"]
learning_rate = 7e-4

[[methods]]
name = "prompt"
label = "Prompt only"
method = "prompt_only"
targets = ["person"]

[calibration]
pilot_seeds = [101, 102, 103, 104, 105]
reference_seeds = [201, 202, 208]
file = "manifests/calibration/none.json"
"""
TUNE = """
[tune]
methods = ["npo", "ga"]
seeds = [31, 32]
validation_percent = 30
learning_rates = [1e-4, 2e-3]
parameters = { npo = { beta = [0.4, 0.1] } }
file = "manifests/tuned/toy.json"
"""


@pytest.fixture
def written(tmp_path):
    """Give a function that writes the manifest, with parts replaced, and returns its path."""
    shutil.copy(TOY, tmp_path)

    def write(old="", new="", tune=TUNE):
        path = tmp_path / "toy.toml"
        text = MANIFEST + tune
        assert old in text
        path.write_text(text.replace(old, new) if old else text, encoding="utf-8")
        return path

    return write


def test_every_learning_rate_meets_every_value_in_the_order_of_the_manifest(written):
    found = list(attempts_of(load_manifest(written()).tune))
    assert [(a.name, a.learning_rate, a.option, a.value) for a in found] == [
        ("npo-1", 1e-4, "beta", 0.4),
        ("npo-2", 1e-4, "beta", 0.1),
        ("npo-3", 2e-3, "beta", 0.4),
        ("npo-4", 2e-3, "beta", 0.1),
        ("ga-1", 1e-4, "", None),
        ("ga-2", 2e-3, "", None),
    ]


def test_the_values_of_an_attempt_reach_its_job_and_all_else_is_that_of_the_method(written):
    manifest = load_manifest(written())
    plan = make_plan(attempts_manifest(manifest))
    jobs = {job.name: job for job in plan.unlearn}
    assert len(jobs) == 6 * 2, "attempts times seeds"
    job = jobs["person-npo-3-s32"]
    assert (job.settings.learning_rate, job.method.beta, job.seed) == (2e-3, 0.4, 32)
    assert job.method.retain_weight == 2.0
    assert job.settings.steps == manifest.unlearn.steps
    assert jobs["person-ga-1-s31"].settings.learning_rate == 1e-4


def test_tuning_starts_from_the_adapters_of_the_experiment_and_asks_other_records(written):
    manifest = load_manifest(written())
    plan, tuning = make_plan(manifest), make_plan(attempts_manifest(manifest))
    assert [job.artifact for job in plan.finetune] == [job.artifact for job in tuning.finetune]
    answers = [{s.name: s.answers.digest for s in p.systems} for p in (plan, tuning)]
    assert answers[0]["vanilla"] != answers[1]["vanilla"]


def test_a_validation_part_changes_no_training(written):
    plans = [make_plan(load_manifest(written(tune=tune))) for tune in ("", TUNE)]
    trained = [[job.artifact for job in plan.jobs()] for plan in plans]
    assert trained[0] == trained[1]
    answers = [{system.answers.digest for system in plan.systems} for plan in plans]
    assert answers[0].isdisjoint(answers[1])


def test_attempts_that_are_done_are_not_trained_again(written, tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    plan, work = make_plan(attempts_manifest(load_manifest(written()))), ToyWork()
    for job in (*plan.finetune, *plan.unlearn[:5]):
        make(job.artifact)
    stages.unlearn(plan, work)
    assert work.names("train") == [job.name for job in plan.unlearn[5:]]


def test_the_plan_shows_the_attempts_and_their_cost(written, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    main(["plan", str(written())])
    said = capsys.readouterr().out
    grid = [line.split() for line in said.splitlines() if " attempts: " in line]
    assert ["npo", "4", "attempts:", "beta", "0.4,", "0.1"] in grid
    assert ["ga", "2", "attempts:", "learning", "rates", "alone,"] in [line[:6] for line in grid]
    assert "untuned: prompt" in said
    # The attempts of a method are one row: 2 learning rates, 2 seeds.
    assert re.search(
        r"^todo  ga +grad_ascent +person +60 +0.0001, 0.002 +0 of 4 +0 of 4", said, re.MULTILINE
    )
    # 2 x 200 steps of fine-tuning, 12 x 60 of unlearning
    assert "14 adapters to train (1120 optimisation steps)" in said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seeds = [31, 32]", "seeds = [31, 2]", "tune.seeds and seeds share the seed 2"),
        ("seeds = [31, 32]", "seeds = [31, 103]", "calibration.pilot_seeds and tune.seeds share"),
        ("seeds = [31, 32]", "seeds = [31, 208]", "calibration.reference_seeds and tune.seeds"),
        ("seeds = [31, 32]", "seeds = [31, 31]", "tune.seeds has 31 twice"),
        ("seeds = [31, 32]", "seeds = []", "'tune.seeds' is not valid"),
        ("[1e-4, 2e-3]", "[]", "'tune.learning_rates' is not valid"),
        ("[1e-4, 2e-3]", "[1e-4]", "'tune.learning_rates' is not valid"),
        ("[1e-4, 2e-3]", "[1e-4, 1e-4]", "tune.learning_rates has 0.0001 twice"),
        ("[0.4, 0.1]", "[]", "the grid of 'npo' is empty"),
        ("[0.4, 0.1] }", "[0.4, 0.1] }, ga = { x = [1] }", "gives methods different budgets"),
        ("[0.4, 0.1] }", "[0.4, 0.1], x = [1, 2] }", "tune.parameters.npo has 2 options"),
        ('["npo", "ga"]', "[]", "'tune.methods' is not valid"),
        ('["npo", "ga"]', '["npo", "gq"]', "no trained method 'gq'"),
        ('["npo", "ga"]', '["npo", "prompt"]', "no trained method 'prompt'"),
        ('["npo", "ga"]', '["ga"]', "'npo' is not tuned"),
        ("percent = 30", "percent = 0", "'tune.validation_percent' is not valid"),
        ("percent = 30", 'percent = 30\nasks = "validation"', "would report the records of tuning"),
        ("percent = 30", 'percent = 30\ntargets = ["persn"]', "no target 'persn'"),
        (
            "percent = 30",
            'percent = 30\ntargets = ["person", "person"]',
            "tune.targets has 'person'",
        ),
        ("tuned/toy.json", "../../toy.json", "tune.file leaves the project"),
        ("percent = 30", 'percent = 30\nwithout_rate = ["gaa"]', "without_rate: no trained method"),
        ("percent = 30", 'percent = 30\nwithout_rate = ["ga"]', "nothing of 'ga' is tuned"),
    ],
)
def test_what_is_not_a_fair_grid_on_records_of_its_own_is_refused(written, old, new, said):
    with pytest.raises(ManifestError) as caught:
        load_manifest(written(old, new))
    assert said in str(caught.value)
    explained = (caught.value.expected, caught.value.remedy)
    assert any(explained), "what was expected, or what to do"


def test_a_method_that_trains_nothing_has_as_many_attempts_and_no_learning_rate(written):
    manu = "[[methods]]\nname = 'manu'\nlabel = 'MANU'\nmethod = 'manu'\ntargets = ['person']\n"
    tune = (
        manu + TUNE.replace('"ga"]', '"ga", "manu"]\nwithout_rate = ["manu"]')
        .replace("} }", "}, manu = { share = [0.1, 0.2, 0.3, 0.4] } }")
    )  # fmt: skip
    manifest = load_manifest(written(tune=tune))
    found = [each for each in attempts_of(manifest.tune) if each.entry == "manu"]
    assert [(each.learning_rate, each.value) for each in found] == [
        (None, 0.1), (None, 0.2), (None, 0.3), (None, 0.4),
    ]  # fmt: skip
    assert found[0].words == "share 0.1"
    require_names(manifest)
    fewer = tune.replace("0.1, 0.2, 0.3, 0.4", "0.1, 0.2")
    with pytest.raises(ManifestError, match="different budgets") as caught:
        load_manifest(written(tune=fewer))
    assert caught.value.found == "npo 4, manu 2"


def test_learning_rates_are_tried_of_the_methods_that_train_alone(written):
    manu = "[[methods]]\nname = 'manu'\nlabel = 'MANU'\nmethod = 'manu'\ntargets = ['person']\n"
    tried = manu + TUNE.replace('"ga"]', '"ga", "manu"]')
    with pytest.raises(ManifestError, match="method 'manu' trains nothing and has none") as caught:
        require_names(load_manifest(written(tune=tried)))
    assert caught.value.remedy == "add 'manu'"
    listed = TUNE.replace("seeds = [31, 32]", 'seeds = [31, 32]\nwithout_rate = ["npo"]')
    with pytest.raises(ManifestError, match="method 'npo' trains with a learning rate"):
        require_names(load_manifest(written(tune=listed)))


def test_attempts_are_not_attacked(written):
    section = "\n[[attack.entries]]\nname = 'x'\nlabel = 'X'\nattack = 'blur'\nlevels = [0.1]\n"
    manifest = load_manifest(written(tune=TUNE + section))
    assert attack_jobs(make_plan(manifest))
    assert not attack_jobs(make_plan(attempts_manifest(manifest)))


def test_the_attempts_forget_the_targets_of_tuning_alone(written):
    path = written("percent = 30", 'percent = 30\ntargets = ["event"]')
    both = path.read_text(encoding="utf-8").replace('["person"]', '["person", "event"]')
    path.write_text(both, encoding="utf-8")
    manifest = load_manifest(path)
    assert {job.target for job in make_plan(manifest).unlearn} == {"person", "event"}
    assert {job.target for job in make_plan(attempts_manifest(manifest)).unlearn} == {"event"}
    path.write_text(both.replace('["person", "event"]\nlearning_rate', '["person"]\nlearning_rate'))
    with pytest.raises(ManifestError, match="'ga' would be tuned on no target"):
        load_manifest(path)


def test_an_option_that_the_method_does_not_have_is_refused_before_any_work(written):
    with pytest.raises(ManifestError, match="method 'npo' has no option 'bete'"):
        require_names(load_manifest(written("beta", "bete")))


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_a_manifest_without_the_section_says_nothing_of_it(path):
    """So its digest, and the name of its result, are what they were before there was a section."""
    declared = "\n[tune]" in path.read_text(encoding="utf-8")
    assert ("tune" in load_manifest(path).resolved()) == declared


def test_the_signed_reference_is_still_of_its_manifest():
    run = json.loads((PROJECT / "manifests/reference/smoke/run.json").read_text(encoding="utf-8"))
    manifest = load_manifest(PROJECT / "manifests/smoke-reference.toml")
    assert manifest.digest() == run["manifest_digest"]
