"""Stages: what is there is not made again, what is missing is named, and costs add up."""

import shutil

import pytest

from kit.artifacts import write_json
from kit.errors import (
    BusyError,
    EnvironmentFault,
    MethodError,
    MissingStageError,
    StorageError,
)
from kit.plan.jobs import make_plan
from kit.preflight.tried import path_of
from kit.sources import datasets
from kit.stages import costs
from kit.stages import run as stages
from kit.stages.attempts import attempt, attempts_path, hold_result, read_attempts
from kit.stages.collect import _job
from kit.stages.costs import read_costs, timed
from tests.toys.dataset import manifest
from tests.toys.work import ToyWork, check, make


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PEBENCH_RESULTS", str(tmp_path / "results"))
    return make_plan(manifest())


@pytest.fixture
def work():
    """The work of other processes, done at once without a model."""
    return ToyWork()


def test_what_is_trained_already_is_not_trained_again(plan, work, capsys):
    make(plan.finetune[1].artifact)
    stages.finetune(plan, work)
    assert work.names("train") == [job.name for job in plan.finetune if job is not plan.finetune[1]]
    stages.finetune(plan, work)
    assert len(work.names("train")) == len(plan.finetune) - 1
    assert work.calls[0] == ("ready", []), "base and records are checked before the first"
    assert work.calls.count(("ready", [])) == 1, "and not where nothing is to be trained"
    assert work.calls[1] == ("methods", []), "and then the methods that come later"
    assert f"finetune: all {len(plan.finetune)} adapters are done" in capsys.readouterr().err


def test_a_broken_method_ends_a_run_before_anything_is_trained(plan, work, monkeypatch):
    def broken(plan):
        raise MethodError("method 'mine' (kit/methods/mine.py): the loss has no gradient")

    monkeypatch.setattr(work, "require_methods", broken)
    with pytest.raises(MethodError):
        stages.finetune(plan, work)
    make(plan.finetune[0].artifact)
    with pytest.raises(MethodError):
        stages.unlearn(plan, work)
    assert work.names("train") == []


def test_methods_that_were_tried_or_are_trained_are_not_tried_again(plan, work):
    for job in plan.finetune:
        make(job.artifact)
    for job in plan.unlearn:
        write_json(path_of(job.method), {})
    stages.unlearn(plan, work)
    assert ("methods", []) not in work.calls
    assert len(work.names("train")) == len(plan.unlearn)


def test_unlearning_without_a_vanilla_model_names_the_stage_that_makes_it(plan, work):
    with pytest.raises(MissingStageError) as caught:
        stages.unlearn(plan, work)
    assert "./run.sh finetune" in str(caught.value)
    assert caught.value.exit_code == 12
    assert work.calls == []


@pytest.mark.parametrize("stage", ["finetune", "unlearn"])
def test_evaluation_without_an_adapter_names_the_stage_that_makes_it(plan, work, stage):
    for job in plan.jobs():
        if job.stage != stage:
            make(job.artifact)
    with pytest.raises(MissingStageError, match="does not exist yet") as caught:
        stages.evaluate(plan, work)
    assert f"./run.sh {stage}" in str(caught.value)


def test_a_report_before_the_evaluation_says_how_many_systems_are_missing(plan):
    from kit.stages.collect import collect

    make(plan.systems[0].answers)
    check(plan.systems[0])
    with pytest.raises(MissingStageError, match=f"{len(plan.systems) - 1} systems") as caught:
        collect(plan)
    assert "./run.sh evaluate" in str(caught.value)


@pytest.fixture
def trained(plan):
    """The plan, whose adapters are all trained."""
    for job in plan.jobs():
        make(job.artifact)
    return plan


def test_only_systems_without_answers_are_asked_and_two_engines_share_them(trained, work):
    make(trained.systems[0].answers, canary=0.5)
    stages.evaluate(trained, work)
    names = [system.name for system in trained.systems[1:]]
    assert sorted(work.names("answer")) == sorted(names)
    kinds = [kind for kind, _ in work.calls]
    assert kinds == ["base", *["answer"] * trained.manifest.compute.workers, "check"]
    assert work.names("check") == [trained.systems[0].name], "the others were checked as they came"


def test_adapters_are_served_together_by_one_engine(monkeypatch, work, plan):
    together = make_plan(manifest(evaluation={"serving": "adapters"}))
    for job in together.jobs():
        make(job.artifact)
    stages.evaluate(together, work)
    assert [kind for kind, _ in work.calls] == ["base", "answer"]


def test_an_evaluation_that_is_complete_starts_no_engine(trained, work, capsys):
    stages.evaluate(trained, work)
    work.calls.clear()
    stages.evaluate(trained, work)
    assert work.calls == []
    assert "systems are answered" in capsys.readouterr().err


def test_answers_that_have_not_passed_are_checked_again_without_new_answers(trained, work):
    stages.evaluate(trained, work)
    failed = trained.systems[3]
    shutil.rmtree(failed.agreement.path)
    work.calls.clear()
    stages.evaluate(trained, work)
    assert work.calls == [("check", [failed.name])]
    assert failed.evaluated


def test_how_answers_are_checked_decides_no_answer(plan):
    changed = make_plan(manifest(evaluation={"agreement_sample": 7, "agreement_nats": 0.5}))
    for before, after in zip(plan.systems, changed.systems, strict=True):
        assert before.answers.digest == after.answers.digest
        assert before.agreement.digest != after.agreement.digest, "but they are checked again"


def test_a_result_states_the_largest_distance_of_all_systems(plan):
    for number, system in enumerate(plan.systems[:3]):
        numbers = {"answers": 8, "tokens": 20, "largest_nats": 0.1 * number, "limit_nats": 1.0}
        make(system.agreement, **numbers)
    assert stages.agreement(plan.systems[:3]) == {
        "sample": 24, "tokens": 60, "largest_nats": 0.2, "limit_nats": 1.0,
    }  # fmt: skip


def test_the_canaries_of_a_result_are_those_of_the_systems_that_were_probed(plan):
    first, second = plan.systems[:2]
    make(first.answers, canary=0.5)
    make(second.answers, canary=None)
    assert stages.canaries([first, second]) == {first.name: 0.5}


def spend(plan, stage, jobs, error=None):
    with timed(plan, stage) as cost:
        cost.jobs = jobs
        if error:
            raise error


def test_a_stage_that_was_interrupted_and_resumed_cost_the_sum_of_its_parts(plan):
    with pytest.raises(EnvironmentFault):
        spend(plan, "unlearn", 2, EnvironmentFault("killed"))
    spend(plan, "unlearn", 3)
    spend(plan, "fetch", 1)
    found = read_costs(plan)
    assert found["unlearn"]["jobs"] == 5
    assert list(found) == ["fetch", "unlearn"], "in the order of the stages"


def test_a_stage_that_is_killed_has_cost_what_its_finished_adapters_did(plan):
    """SIGKILL runs no line of Python: what is to be known after it is on disk before."""
    known = []

    class Watched(ToyWork):
        def train(self, settings, jobs):
            for finished in super().train(settings, jobs):
                known.append(read_costs(plan).get("finetune", {}).get("jobs", 0))
                yield finished

    stages.finetune(plan, Watched())
    assert known == list(range(len(plan.finetune)))
    cost = read_costs(plan)["finetune"]
    assert cost["jobs"] == len(plan.finetune), "and none twice"
    assert cost["peak_memory_bytes"] == 7


def test_the_peak_of_a_stage_is_the_largest_of_all_processes_and_calls(plan):
    for peaks in ([None, 3], [5, None, 4], []):
        with timed(plan, "unlearn") as cost:
            cost.jobs = 1
            for peak in peaks:
                cost.add_peak(peak)
    assert read_costs(plan)["unlearn"]["peak_memory_bytes"] == 5


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

    monkeypatch.setattr(costs, "write_json", full)
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
    with hold_result(run, "all"):
        pass


def test_one_run_at_a_time_works_in_a_cache_and_in_a_result(plan, tmp_path, monkeypatch):
    other = manifest(unlearn={"steps": 61})
    with hold_result(plan.manifest, "all"):
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
    def fetched(given, say, settings, examine):
        say(f"fetch: {given.sources[0].name}: 3 files verified")
        return brought.pop()

    brought = [0, 1]
    monkeypatch.setattr(datasets, "fetch", fetched)
    stages.fetch(plan)
    stages.fetch(plan)
    assert capsys.readouterr().err.splitlines() == ["fetch: pebench: 3 files verified"] * 2
    assert read_costs(plan)["fetch"]["jobs"] == 1
