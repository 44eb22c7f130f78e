"""The verb plan: what it prints, what it measures, and which options belong together."""

import json
from dataclasses import asdict
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from kit.cli.plan_text import _attacks_left
from kit.cli.verbs import verbs
from kit.errors import ManifestError, MissingStageError
from kit.plan import rates
from kit.plan.attacks import attack_jobs
from kit.plan.jobs import make_plan
from kit.plan.rates import AttackRates, Rates
from tests.toys.dataset import TOY


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    return tmp_path


def plan(*words):
    done = CliRunner().invoke(verbs, ["plan", str(TOY), *words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_a_probe_is_made_once_and_read_by_later_plans(cache, monkeypatch):
    asked = []

    def probed(planned):
        asked.append(planned.manifest.name)
        start = {"finetune": 60.0, "unlearn": 60.0, "evaluate": 60.0}
        passes = {"finetune": 0.1, "unlearn": 0.1, "other": 0.05}
        answers = {system.name: 10 for system in planned.systems}
        return Rates(rates.device_name(), start, passes, 1.0, 0.1, answers)

    monkeypatch.setattr("kit.stages.probe.probe", probed)
    monkeypatch.setattr("kit.sources.datasets.verify_sources", lambda manifest: None)
    first = plan("--probe", "--price", "2.5").stdout
    assert "from a probe on" in first
    assert ", cost " in first
    assert plan("--price", "2.5").stdout == first
    assert asked == ["toy"]
    assert not any(job.artifact.path.exists() for job in make_toy_plan().jobs())


def make_toy_plan():
    from kit.experiment.manifest_file import load_manifest

    return make_plan(load_manifest(TOY))


@pytest.mark.parametrize(
    ("left", "said"),
    [(1, ", 1 attack on systems (1 adapter to relearn)"),
     (2, ", 2 attacks on systems (2 adapters to relearn)")],
)  # fmt: skip
def test_one_is_not_told_as_many(left, said):
    jobs = {0: SimpleNamespace(artifact=SimpleNamespace(done=False))}
    attack = SimpleNamespace(answers=SimpleNamespace(done=False), relearned=jobs)
    assert _attacks_left([attack] * left) == said


def test_a_probe_needs_the_data(cache):
    with pytest.raises(MissingStageError, match="the data is missing"):
        plan("--probe")


@pytest.mark.parametrize("words", [("--probe",), ("--price", "2"), ("--scale",)])
def test_an_estimate_and_a_job_for_a_scheduler_are_two_calls(cache, words):
    with pytest.raises(ManifestError, match="--emit prints a job file instead of the plan"):
        plan("--emit", "slurm", *words)


def test_more_cards_are_simulated_from_a_file_of_rates(cache, tmp_path):
    assert "No time of a card is known" in plan("--scale").stdout
    made = make_toy_plan()
    start = {"finetune": 60.0, "unlearn": 60.0, "evaluate": 60.0}
    passes = {"finetune": 0.1, "unlearn": 0.1, "other": 0.05, "attack": 0.1}
    answers = {system.name: 10 for system in made.systems}
    attack = AttackRates(1.0, 0.0, 0.1, {job.answers.name: 5 for job in attack_jobs(made)})
    path = tmp_path / "rates.json"
    path.write_text(json.dumps(asdict(Rates("a card", start, passes, 1.0, 0.1, answers, attack))))
    said = plan("--scale", "--rates", str(path), "--price", "2").stdout
    assert "what a probe measured on a card" in said
    assert "money" in said
    with pytest.raises(ManifestError, match="--rates is only used by --scale"):
        plan("--rates", str(path))


@pytest.mark.parametrize("price", ["0", "-1", "much", "nan", "inf", "1e400"])
def test_a_price_is_a_number_above_zero(cache, price):
    done = plan("--price", price)
    assert done.exit_code == 2
    assert "--price" in done.output
