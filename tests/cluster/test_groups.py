"""Which systems one engine of a cluster answers together."""

import pytest

from kit.cluster.preview import submitted
from kit.cluster.work import ClusterWork
from kit.plan.jobs import make_plan
from kit.plan.systems import together
from tests.cluster.test_work import SLOTS, OneProcess, plan  # noqa: F401  # plan is a fixture
from tests.toys.dataset import manifest


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
