"""Stages: what is there is not made again, what is missing is named, and costs add up."""

import json

import pytest

from kit.errors import BusyError, EnvironmentFault, MissingStageError, StorageError
from kit.plan.jobs import make_plan
from kit.sources import datasets
from kit.stages import run as stages
from kit.stages.attempts import attempt, attempts_path, read_attempts, working
from kit.stages.collect import _job
from kit.stages.costs import read_costs
from tests.toys.dataset import manifest


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PEBENCH_RESULTS", str(tmp_path / "results"))
    return make_plan(manifest())


def make(artifact, **job):
    artifact.partial.mkdir(parents=True)
    artifact.publish(job)


@pytest.fixture
def trainer(monkeypatch):
    """Stand for the worker processes; returns the names of the jobs that were asked for."""
    asked = []

    def run_jobs(settings, jobs):
        for job in jobs:
            asked.append(job.name)
            make(job.artifact)
            yield job, {"steps": 3, "seconds": 1.0, "stopped": None, "peak_memory_bytes": None}

    monkeypatch.setattr(stages, "run_jobs", run_jobs)
    return asked


def test_what_is_trained_already_is_not_trained_again(plan, trainer, capsys):
    make(plan.finetune[1].artifact)
    stages.finetune(plan)
    assert trainer == [job.name for job in plan.finetune if job is not plan.finetune[1]]
    stages.finetune(plan)
    assert len(trainer) == len(plan.finetune) - 1
    assert f"finetune: {len(plan.finetune)} adapters are there already" in capsys.readouterr().err


def test_unlearning_without_a_vanilla_model_names_the_stage_that_makes_it(plan, trainer):
    with pytest.raises(MissingStageError) as caught:
        stages.unlearn(plan)
    assert "./run.sh finetune" in str(caught.value)
    assert caught.value.exit_code == 12
    assert trainer == []


@pytest.mark.parametrize("stage", ["finetune", "unlearn"])
def test_evaluation_without_an_adapter_names_the_stage_that_makes_it(plan, stage):
    for job in plan.jobs():
        if job.stage != stage:
            make(job.artifact)
    with pytest.raises(MissingStageError, match="is not there") as caught:
        stages.evaluate(plan)
    assert f"./run.sh {stage}" in str(caught.value)


def test_a_report_before_the_evaluation_says_how_many_systems_are_missing(plan):
    from kit.stages.collect import collect

    make(plan.systems[0].answers)
    with pytest.raises(MissingStageError, match=f"{len(plan.systems) - 1} systems") as caught:
        collect(plan)
    assert "./run.sh evaluate" in str(caught.value)


@pytest.fixture
def engine(plan, monkeypatch):
    """Stand for the answering's processes; returns which systems were answered, call by call."""
    from kit.evaluation import answering

    answered = []

    def answer(given, names):
        answered.append(names)
        for system in given.systems:
            if system.name in names:
                make(system.answers, canary=0.5)
        return 1000

    monkeypatch.setattr(answering, "make_serving_base", lambda given: None)
    monkeypatch.setattr(answering, "answer_systems", answer)
    monkeypatch.setattr(answering, "agreement", lambda given: {"sample": 10, "equal": 10})
    monkeypatch.setattr(stages, "isolated", lambda function, *given: function(*given))
    monkeypatch.setattr(stages, "scatter", lambda function, calls: [function(*c) for c in calls])
    for job in plan.jobs():
        make(job.artifact)
    return answered


def test_only_systems_without_answers_are_asked_and_two_engines_share_them(plan, engine):
    make(plan.systems[0].answers)
    stages.evaluate(plan)
    names = [system.name for system in plan.systems[1:]]
    assert len(engine) == plan.manifest.compute.workers
    assert sorted(name for share in engine for name in share) == sorted(names)
    assert json.loads(stages.guard_path(plan).read_text()) == {"sample": 10, "equal": 10}


def test_an_evaluation_that_is_complete_starts_no_engine(plan, engine, capsys):
    stages.evaluate(plan)
    engine.clear()
    stages.evaluate(plan)
    assert engine == []
    assert "are answered already" in capsys.readouterr().err


def test_a_guard_that_has_not_passed_is_asked_again_without_new_answers(plan, engine):
    stages.evaluate(plan)
    stages.guard_path(plan).unlink()
    engine.clear()
    stages.evaluate(plan)
    assert engine == []
    assert stages.guard_path(plan).is_file()


def spend(plan, stage, jobs, error=None):
    with stages.timed(plan, stage) as cost:
        cost.jobs = jobs
        if error:
            raise error


def test_a_stage_that_was_interrupted_and_resumed_cost_the_sum_of_its_parts(plan):
    with pytest.raises(EnvironmentFault):
        spend(plan, "unlearn", 2, EnvironmentFault("killed"))
    spend(plan, "unlearn", 3)
    spend(plan, "fetch", 1)
    costs = read_costs(plan)
    assert costs["unlearn"]["jobs"] == 5
    assert list(costs) == ["fetch", "unlearn"], "in the order of the stages"


def test_a_stage_that_is_killed_has_cost_what_its_finished_adapters_did(plan, monkeypatch):
    """SIGKILL runs no line of Python: what is to be known after it is on disk before."""
    known = []

    def run_jobs(settings, jobs):
        for job in jobs:
            known.append(read_costs(plan).get("finetune", {}).get("jobs", 0))
            yield job, {"steps": 3, "seconds": 1.0, "stopped": None, "peak_memory_bytes": 7}

    monkeypatch.setattr(stages, "run_jobs", run_jobs)
    stages.finetune(plan)
    assert known == list(range(len(plan.finetune)))
    assert read_costs(plan)["finetune"]["jobs"] == len(plan.finetune), "and none twice"


def test_work_that_was_lost_is_in_the_record_of_the_run_and_nothing_where_none_was(plan):
    one, two = plan.finetune[:2]
    lost = {"steps": 2, "seconds": 1.5, "forward_passes": 64}
    make(one.artifact, stage="finetune")
    make(two.artifact, stage="finetune", lost=lost)
    assert "lost" not in _job(one.artifact)
    assert _job(two.artifact)["lost"] == lost


def test_a_stage_that_had_nothing_to_do_costs_nothing(plan):
    spend(plan, "fetch", 0)
    assert read_costs(plan) == {}


def test_costs_of_another_plan_are_not_mixed_in(plan):
    spend(plan, "unlearn", 1)
    longer = make_plan(manifest(unlearn={"steps": 61}))
    assert read_costs(longer) == {}


def test_a_full_disk_does_not_hide_the_error_that_came_before(plan, monkeypatch):
    def full(path, value):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stages, "write_json", full)
    with pytest.raises(EnvironmentFault, match="first"):
        spend(plan, "unlearn", 1, EnvironmentFault("first"))


def fail_in(run):
    with attempt(run, "unlearn"):
        raise EnvironmentFault("a worker process was killed")


def test_every_call_is_logged_also_one_that_failed_or_was_cut_off(plan):
    run = plan.manifest
    with attempt(run, "all"):
        pass
    with pytest.raises(EnvironmentFault):
        fail_in(run)
    with attempts_path(run).open("a") as stream:
        stream.write('{"event": "sta')
    with attempt(run, "all"):
        pass
    events = [(entry.get("verb"), entry["event"]) for entry in read_attempts(run)]
    assert events == [
        ("all", "started"), ("all", "finished"), ("unlearn", "started"), ("unlearn", "failed"),
        (None, "cut off"), ("all", "started"), ("all", "finished"),
    ]  # fmt: skip


def begin(run):
    with working(run, "all"):
        pass


def test_one_run_at_a_time_works_in_a_cache_and_in_a_result(plan, tmp_path, monkeypatch):
    other = manifest(unlearn={"steps": 61})
    with working(plan.manifest, "all"):
        for run in (plan.manifest, other):
            with pytest.raises(BusyError) as caught:
                begin(run)
            assert caught.value.exit_code == 8
        monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "another"))
        begin(other)
        with pytest.raises(BusyError, match="results"):
            begin(plan.manifest)
    begin(plan.manifest)


@pytest.mark.parametrize("name", ["PEBENCH_CACHE", "PEBENCH_RESULTS"])
def test_a_folder_that_cannot_be_written_is_an_error_before_anything_runs(
    plan, tmp_path, monkeypatch, name
):
    (tmp_path / "file").touch()
    monkeypatch.setenv(name, str(tmp_path / "file" / "below"))
    with pytest.raises(StorageError, match="cannot be written") as caught:
        begin(plan.manifest)
    assert name in str(caught.value)


def test_fetch_says_whether_it_made_the_files(plan, monkeypatch, capsys):
    def fetched(given, say, settings):
        say(f"fetch: {given.sources[0].name}: 3 files verified")
        return brought.pop()

    brought = [0, 1]
    monkeypatch.setattr(datasets, "fetch", fetched)
    stages.fetch(plan)
    stages.fetch(plan)
    assert capsys.readouterr().err.splitlines() == ["fetch: pebench: 3 files verified"] * 2
    assert read_costs(plan)["fetch"]["jobs"] == 1
