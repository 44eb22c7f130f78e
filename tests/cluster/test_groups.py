"""Which systems one engine of a cluster answers together."""

import pytest

from kit.cluster.needs import below_cache
from kit.cluster.preview import submitted
from kit.cluster.work import ClusterWork
from kit.evaluation.attacking import groups_of
from kit.experiment.manifest import Manifest
from kit.plan.attacks import attack_jobs
from kit.plan.jobs import make_plan
from kit.plan.systems import together
from tests.cluster.test_work import SLOTS, OneProcess, plan  # noqa: F401  # plan is a fixture
from tests.stages.test_attack_stage import AGAIN, CROP, INT, attacked
from tests.toys.dataset import manifest
from tests.toys.work import make


@pytest.mark.parametrize(
    ("settings", "engines", "expected"),
    [
        ({"serving": "merged"}, 1, 1),
        ({"serving": "merged", "batch_invariant": True}, 64, 1),
        ({"serving": "adapters"}, 1, 8),
        ({"serving": "adapters"}, 64, 8),  # the groups of one machine, or other bits
        ({"serving": "adapters", "batch_invariant": True}, 1, 8),
        ({"serving": "adapters", "batch_invariant": True}, 20, 8),  # 157 / 20 rounded up
        ({"serving": "adapters", "batch_invariant": True}, 64, 3),
        ({"serving": "adapters", "batch_invariant": True}, 512, 1),
    ],
)
def test_groups_get_smaller_only_where_that_changes_no_answer(settings, engines, expected):
    section = manifest(evaluation={"max_adapters": 8, **settings}).evaluation
    assert together(section, 157, engines) == expected


def test_with_batch_invariance_every_engine_of_a_cluster_has_systems_to_answer(plan):  # noqa: F811
    given = {"serving": "adapters", "batch_invariant": True, "max_adapters": 50}
    served = make_plan(manifest(evaluation=given))
    cluster = OneProcess()
    said = list(submitted(served, SLOTS))
    ClusterWork(cluster).answer(served, [[system.name for system in served.systems]])
    asked = [request.digests for request in cluster.of("answer")]
    assert len(asked) == SLOTS
    size = -(-len(served.systems) // SLOTS)
    assert {len(digests) for digests in asked[:-1]} == {size}
    assert [digest for group in asked for digest in group] == [
        system.answers.digest for system in served.systems
    ]
    assert any(f"{SLOTS} groups of up to {size} systems" in line for line in said)


def asked_in_shares(plan, cluster):  # noqa: F811
    """Let a cluster answer all attacks of a plan; return the names of each piece of work."""
    jobs = attack_jobs(plan)
    for trained in (*plan.jobs(), *(each for job in jobs for each in job.relearned.values())):
        make(trained.artifact)
    names = {job.answers.digest: job.answers.name for job in jobs}
    ClusterWork(cluster).attack(plan, [list(names.values())])
    return [[names[digest] for digest in request.digests] for request in cluster.of("attack")]


def attacks(*entries, **evaluation):
    document = attacked(*entries).model_dump(mode="json")
    return make_plan(
        Manifest.model_validate(
            {**document, "evaluation": {**document["evaluation"], **evaluation}}
        )
    )


def test_attacks_on_adapters_are_answered_in_the_groups_of_one_machine(plan):  # noqa: F811
    served = attacks(CROP, AGAIN, serving="adapters", max_adapters=3)
    jobs = attack_jobs(served)
    groups = [[job.answers.name for job in g] for g in groups_of(jobs, served.manifest.evaluation)]
    assert len(groups) > 1
    cluster = OneProcess()
    assert asked_in_shares(served, cluster) == groups
    relearned = {below_cache(e.artifact.path) for job in jobs for e in job.relearned.values()}
    for request in cluster.of("attack"):
        assert relearned <= set(request.needs), "every engine has the same room"


def test_attacks_on_merged_weights_are_dealt_out_to_all_engines(plan):  # noqa: F811
    for merged in (attacks(CROP, AGAIN), attacks(INT, serving="adapters")):
        assert len(asked_in_shares(merged, OneProcess())) == SLOTS


def test_the_dry_run_counts_what_attacks_train_draw_and_answer(plan):  # noqa: F811
    pixels = {"name": "pgd", "label": "PGD", "attack": "pgd", "levels": [8]}
    planned = attacks(CROP, AGAIN, pixels)
    jobs = attack_jobs(planned)
    systems = len({job.system.name for job in jobs})
    relearned = [each for job in jobs for each in job.relearned.values()]
    said = "\n".join(submitted(planned, SLOTS))
    assert f"attack: {len(relearned)} adapters that relearn, one interpreter each" in said
    assert f"attack: pictures of {systems} systems in {SLOTS} shares" in said
    assert f"attack: {len(jobs)} attacks in up to {SLOTS} shares" in said
    wide = "\n".join(submitted(planned, 100))
    assert f"pictures of {systems} systems in {systems} shares" in wide
    assert f"attack: {len(jobs)} attacks in up to {systems} shares" in wide
    for each in relearned:
        make(each.artifact)
    assert "relearn" not in "\n".join(submitted(planned, SLOTS))
    drawn = [job.pictures for job in jobs if job.pictures is not None]
    make(drawn[0])
    assert f"pictures of {systems - 1} systems" in "\n".join(submitted(planned, SLOTS))
    for each in drawn[1:]:
        make(each)
    assert "pictures" not in "\n".join(submitted(planned, SLOTS))
    make(jobs[0].answers)
    assert f"attack: {len(jobs) - 1} attacks" in "\n".join(submitted(planned, SLOTS))
    for job in jobs[1:]:
        make(job.answers)
    assert "attack" not in "\n".join(submitted(planned, SLOTS))
