"""Every method and every measurement computes the same bits where two processes share the base."""

import pytest

from kit.methods import registry
from kit.stages.crew import Piece, work_through
from kit.stages.workers import isolated, start_worker
from tests.toys.crew_trial import all_found

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("recomputed", [False, pytest.param(True, marks=pytest.mark.extended)])
def test_no_method_and_no_measurement_notices_that_the_base_is_shared(recomputed):
    one = isolated(all_found, recomputed)
    piece = Piece("trial", all_found, (recomputed,))
    ((_, two),) = work_through([piece], 2, 1, (start_worker,))
    trained = [name for name in registry.names() if registry.build(name, {}).needs.training]
    assert {*trained, "states", "whole", "scored", "pixels", "norms"} == set(one)
    assert two == one
    assert len(set(one.values())) > len(one) // 2, "digests of different numbers"
