"""The probe runs the real stages in small, in a cache of its own, and keeps nothing but rates."""

import json
import os
from pathlib import Path

import pytest

from kit.artifacts import cache_root
from kit.errors import StorageError
from kit.experiment.attack import AttackSection
from kit.plan.attacks import attack_jobs
from kit.plan.estimate import estimate
from kit.plan.jobs import make_plan
from kit.stages import probe as probes
from kit.stages import probe_attacks
from kit.stages.probe import MORE, STEPS, chosen_methods, measure, probe, shrunk
from kit.stages.probe_cache import own_cache
from kit.stages.workers import JobRecord
from tests.toys.dataset import manifest
from tests.toys.work import ToyWork, check, make, named

SECONDS = {"finetune": 4.0, "unlearn": 2.0, "attack": 3.0}  # of each job
PICTURES = 8.0  # seconds of all pictures of an attack on a system
ATTACKS = AttackSection.model_validate(
    {
        "methods": ["npo"],  # which the probe does not train
        "entries": [
            {"name": "crop", "label": "C", "attack": "crop", "levels": [0.9, 0.5]},
            {"name": "again", "label": "R", "attack": "relearn_forget", "levels": [0.1, 0.5]},
            {"name": "pgd", "label": "P", "attack": "pgd", "levels": [8], "options": {"steps": 9}},
            {"name": "more", "label": "M", "attack": "pgd", "levels": [4, 16]},
        ],
    }
)


class Clocked(ToyWork):
    """Publishes with the times of an invented machine: 3 s a group and 0.05 s an answer."""

    base_seconds = 7.0

    def train(self, manifest, jobs):
        for job in jobs:
            self.calls.append(("train", [job.name]))
            seconds = SECONDS[job.stage]
            make(job.artifact, seconds=seconds, steps=job.settings.steps)
            yield job, JobRecord(steps=STEPS, seconds=seconds, stopped=None, peak_memory_bytes=7)

    def optimise(self, plan, shares):
        for job in attack_jobs(plan):
            if job.pictures is not None:
                make(job.pictures, seconds=PICTURES)
        return [1 for _ in shares]

    def answer(self, plan, shares):
        size = plan.manifest.split.max_per_column
        for names in shares:
            for place, system in enumerate(named(plan, names)):
                make(system.answers, canary=0.5)
                check(system)
                when = 1e9 + place * (3.0 + 0.05 * 6 * size * len(shares))
                os.utime(system.answers.path / "job.json", (when, when))
        return [1 for _ in shares]


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        probes, "count_questions", lambda plan: {s.name: 6 * plan.manifest.split.max_per_column
                                        for s in plan.systems},
    )  # fmt: skip
    monkeypatch.setattr(
        probe_attacks, "count_attacked", lambda plan: {
            job.answers.name: 5 * len(job.entry.levels) for job in attack_jobs(plan)
        },
    )  # fmt: skip
    return make_plan(manifest().model_copy(update={"attack": None, "claims": ()}))


def test_the_small_experiment_has_two_methods_few_steps_and_all_that_decides_their_time(plan):
    small = make_plan(shrunk(plan, MORE))
    assert [job.entry.name for job in small.unlearn] == ["po", "siu"]
    assert {job.settings.steps for job in small.jobs()} == {STEPS}
    assert not any(job.governed for job in small.unlearn)
    assert {job.target for job in small.unlearn} == {"person"}
    assert small.manifest.model == plan.manifest.model
    assert small.finetune[0].settings.batch_size == plan.finetune[0].settings.batch_size


def test_the_small_experiment_takes_few_steps_of_a_target_that_has_steps_of_its_own(plan):
    """The toy's target `both` has 120 steps: a probe that begins with it would take them all."""
    whole = make_plan(plan.manifest.model_copy(update={"targets": ("both",)}))
    assert {job.settings.steps for job in whole.unlearn if job.entry.name == "gd"} == {120}
    assert {job.settings.steps for job in make_plan(shrunk(whole, MORE)).jobs()} == {STEPS}


@pytest.mark.parametrize(
    ("number", "options"),
    [(1, {"steps": 100, "warmup_steps": 50}), (2, {"steps": 640, "step_size": 0.1})],
)
def test_few_steps_of_an_attack_go_without_what_was_stated_for_many(plan, number, options):
    """20 steps would end within a warm-up of 50; two steps of 0.1 change no pixel by 1 of 255."""
    entry = ATTACKS.entries[number].model_copy(update={"options": options})
    section = ATTACKS.model_copy(update={"entries": (entry,)})
    whole = make_plan(plan.manifest.model_copy(update={"attack": section}))
    jobs = attack_jobs(make_plan(shrunk(whole, MORE)))
    assert {job.entry.options["steps"] for job in jobs} == {STEPS if number == 1 else 2}


def with_methods(*names):
    made = manifest()
    kept = tuple(entry for entry in made.methods if entry.name in names)
    return make_plan(made.model_copy(update={"methods": kept, "claims": ()}))


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        (("ga", "gd", "npo"), ["gd"]),
        (("dpo", "kl", "kl-balanced"), ["dpo", "kl"]),
        (("kl",), ["kl"]),
        (("prompt",), []),
    ],
)
def test_methods_without_reference_scalars_are_measured_where_there_are_any(plan, there, chosen):
    assert [entry.name for entry in chosen_methods(with_methods(*there))] == chosen


@pytest.mark.parametrize(
    ("there", "unlearn", "other"),
    [
        (("ga", "gd", "npo"), 2 / 20 / 16 / 2, 4 / 20 / 32 / 2),
        (("kl",), 2 / 20 / 16 / 2.5, 1 / 20 / 16 / 2.5),
        (("prompt",), 4 / 20 / 32, 4 / 20 / 32 / 2),
    ],
)
def test_every_pass_has_a_rate_whatever_the_methods_are(plan, there, unlearn, other):
    whole = with_methods(*there)
    found = measure(whole, {}, {}, Clocked()).passes
    assert found["unlearn"] == pytest.approx(unlearn)
    assert found["other"] == pytest.approx(other)


def test_rates_are_those_of_the_machine_and_give_its_time_back(plan):
    work = Clocked()
    found = measure(plan, {system.name: 100 for system in plan.systems}, {}, work)
    assert found.passes["finetune"] == SECONDS["finetune"] / STEPS / 32
    assert found.passes["unlearn"] == SECONDS["unlearn"] / STEPS / 16 / 2
    assert found.passes["other"] == 0, "PO and SIU take the same time in the toy"
    assert found.round == pytest.approx(3.0, abs=1e-6)
    # Two engines: an answer of each takes 0.05 s of two.
    assert found.answer == pytest.approx(0.05, rel=0.01)
    assert found.start["evaluate"] == pytest.approx(7.0, abs=1.0)
    assert set(estimate(plan, found)) == {"finetune", "unlearn", "evaluate"}
    assert found.attack is None


@pytest.mark.parametrize("stage", ["finetune", "unlearn"])
def test_a_job_that_says_that_it_made_no_step_is_named_and_divides_nothing(plan, stage):
    class Damaged(Clocked):
        def train(self, manifest, jobs):
            for job, record in super().train(manifest, jobs):
                if job.stage == stage:
                    path = job.artifact.path / "job.json"
                    told = json.loads(path.read_bytes())
                    path.write_text(json.dumps({**told, "steps": 0}), "utf-8")
                yield job, record

    with pytest.raises(StorageError, match=r"job\.json is damaged") as caught:
        measure(plan, {}, {}, Damaged())
    assert (caught.value.expected, caught.value.found) == ("'steps': 1 or more", "0")


@pytest.mark.parametrize(
    ("metrics", "kinds"), [((), 0), (("gradient",), 1), (("gradient", "fluency"), 2)]
)
def test_an_answer_takes_longer_with_each_kind_of_score(plan, metrics, kinds):
    """Each kind takes 2 s a system: 8 s of four systems, for 4 x 384 answers."""

    class Scoring(Clocked):
        def _measure(self, call, kind, plan, shares):
            found = super()._measure(call, kind, plan, shares)
            for place, system in enumerate(plan.systems):
                if kind in system.scores and system.scores[kind].done:
                    when = 1e9 + 2.0 * place
                    os.utime(system.scores[kind].path / "job.json", (when, when))
            return found

    section = plan.manifest.evaluation.model_copy(update={"metrics": metrics})
    whole = make_plan(plan.manifest.model_copy(update={"evaluation": section}))
    found = measure(whole, {}, {}, Scoring())
    assert found.answer == pytest.approx(0.05 + kinds * 8 / (4 * 384), rel=0.01)


def test_of_attacks_the_probe_runs_one_that_relearns_and_one_on_pixels(plan):
    whole = make_plan(plan.manifest.model_copy(update={"attack": ATTACKS}))
    small = shrunk(whole, MORE)
    assert [(e.name, e.levels, e.options["steps"]) for e in small.attack.entries] == [
        ("again", (1.0,), STEPS), ("pgd", (1.0,), 2),
    ]  # fmt: skip
    questions = {job.answers.name: 100 for job in attack_jobs(whole)}
    answers = {system.name: 100 for system in whole.systems}
    found = measure(whole, answers, questions, Clocked())
    assert found.passes["attack"] == SECONDS["attack"] / STEPS / 16
    assert found.attack.gradient == PICTURES / (2 * 5), "two steps of five pictures"
    assert found.attack.answer == pytest.approx(0.05, rel=0.01)
    assert found.attack.questions == questions
    assert set(estimate(whole, found)) == {"finetune", "unlearn", "evaluate", "attack"}


def test_attacks_that_only_ask_are_not_run_by_the_probe(plan):
    asking = ATTACKS.model_copy(update={"entries": ATTACKS.entries[:1]})
    whole = make_plan(plan.manifest.model_copy(update={"attack": asking}))
    work = Clocked()
    found = measure(whole, {}, {}, work)
    assert not work.names("attack")
    assert found.attack.start == found.start["evaluate"]
    assert found.passes["attack"] == found.passes["unlearn"]


def test_the_cache_of_the_probe_is_its_own_and_is_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "picture").touch()
    with own_cache():
        inside = cache_root()
        assert inside == tmp_path / "scratch" / "probe"
        assert (inside / "data" / "picture").is_file(), "what was fetched is shared"
        (inside / "artifacts").mkdir()
    assert cache_root() == tmp_path
    assert not inside.exists()
    assert (tmp_path / "data" / "picture").is_file()


def test_nothing_is_measured_with_a_base_or_record_that_cannot_be_used(plan, monkeypatch):
    from kit.errors import ModelError

    def refused(plan):
        raise ModelError("no base", remedy="fetch it")

    monkeypatch.setattr(probes.LOCAL, "require_ready", refused)
    monkeypatch.setattr(probes, "measure", lambda *given: pytest.fail("measured"))
    with pytest.raises(ModelError):
        probe(plan)
    assert not (Path(os.environ["PEBENCH_CACHE"]) / "scratch" / "probe").exists()
