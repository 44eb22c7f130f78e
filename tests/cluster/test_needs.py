"""What a node has to bring from an object store before a piece of work."""

import pytest

from kit.artifacts import cache_root
from kit.cluster.needs import below_cache, data_of, needs_of, needs_of_training
from kit.cluster.work import ClusterWork
from kit.plan.attacks import attack_jobs
from kit.plan.jobs import make_plan
from kit.sources.places import listed_place
from kit.stages import run as stages
from tests.cluster.test_work import OneProcess, plan  # noqa: F401  # plan is a fixture
from tests.stages.test_attack_stage import AGAIN, CROP, attacked
from tests.toys.dataset import manifest
from tests.toys.work import make


def names(artifacts):
    return {below_cache(artifact.path) for artifact in artifacts}


@pytest.fixture
def trained(plan):  # noqa: F811
    """A plan whose adapters, answers and served base are there."""
    for job in plan.jobs():
        make(job.artifact)
    for system in plan.systems:
        make(system.answers)
    make(plan.serving)
    return plan


def test_training_reads_the_adapters_below_and_the_oracle(trained):
    assert needs_of_training(trained.finetune[0]) == ()
    for job in trained.unlearn:
        oracle = [job.oracle] if job.oracle else []
        assert set(needs_of_training(job)) == names([trained.finetune[0].artifact, *oracle])


def test_only_what_is_finished_is_named(plan):  # noqa: F811
    assert needs_of_training(plan.unlearn[0]) == ()
    assert needs_of("answer", plan, [plan.systems[0].name]) == ()
    make(plan.finetune[0].artifact)
    assert set(needs_of_training(plan.unlearn[0])) == names([plan.finetune[0].artifact])


@pytest.mark.parametrize("kind", ["answer", "check"])
def test_work_on_a_system_reads_its_adapters_answers_and_vanilla(trained, kind):
    system = next(s for s in trained.systems if len(s.adapters) > 1)
    other = next(s for s in trained.systems if len(s.adapters) > 1 and s.name != system.name)
    found = set(needs_of(kind, trained, [system.name]))
    wanted = [*system.adapters, trained.finetune[0].artifact]
    assert names([*wanted, system.answers] if kind != "answer" else wanted) <= found
    assert (below_cache(trained.serving.path) in found) == (kind == "answer")
    assert not names([other.adapters[-1], other.answers]) & found


def test_an_engine_that_holds_adapters_makes_room_for_all(trained):
    served = make_plan(manifest(evaluation={"serving": "adapters"}))
    first = served.systems[0].name
    every = names(a for system in served.systems for a in system.adapters)
    assert every <= set(needs_of("answer", served, [first]))
    assert not every <= set(needs_of("check", served, [first]))


def test_an_attack_reads_what_relearns_on_its_system(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    attacked_plan = make_plan(attacked(CROP, AGAIN))
    jobs = attack_jobs(attacked_plan)
    for job in attacked_plan.jobs():
        make(job.artifact)
    for job in jobs:
        for relearning in job.relearned.values():
            assert set(needs_of_training(relearning)) == names(job.system.adapters)
            make(relearning.artifact)
    again = next(job for job in jobs if job.relearned and job.system.adapters)
    found = set(needs_of("attack", attacked_plan, [again.answers.name]))
    own = [job.artifact for job in again.relearned.values()]
    assert names([*own, *again.system.adapters]) <= found
    others = [r.artifact for j in jobs if j is not again for r in j.relearned.values()]
    assert not names(others) & found


def test_a_check_of_the_base_reads_no_artifact(trained):
    assert needs_of("make_serving_base", trained, [trained.serving.name]) == ()
    assert needs_of("require_methods", trained, [trained.unlearn[0].name]) == ()


def test_data_of_the_cache_travels_and_the_kit_s_own_does_not(plan):  # noqa: F811
    assert data_of(plan.manifest) == ()
    for source in plan.manifest.all_sources():
        listed_place(source).path.mkdir(parents=True)
    sent = {below_cache(listed_place(s).path) for s in plan.manifest.sources}
    assert set(data_of(plan.manifest)) == sent, "not the base, which is in the kit's folder"


def test_what_a_run_makes_is_named_in_its_requests(plan):  # noqa: F811
    cluster = OneProcess()
    work = ClusterWork(cluster)
    for stage in (stages.finetune, stages.unlearn, stages.evaluate):
        stage(plan, work)
    made = {name for request in cluster.requests for name in request.makes}
    there = {below_cache(path.parent) for path in cache_root().glob("artifacts/*/job.json")}
    assert (
        names(job.artifact for job in plan.jobs()) | names(s.answers for s in plan.systems) <= made
    )
    assert made <= there
    assert all(request.makes == () for request in cluster.of("require_methods"))
