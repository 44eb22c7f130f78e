"""Heads on hidden states of one system after the other, by processes that share the base."""

import pytest

from kit.sources.datasets import base_folder
from kit.stages.crew import Piece, work_through
from kit.stages.workers import isolated, start_worker
from tests.toys.crew_job import experiment
from tests.toys.crew_probe import states_of_two_systems

pytestmark = pytest.mark.slow


def test_two_processes_read_the_states_of_one_system_after_the_other_as_one_does(
    tiny_base, pictures, monkeypatch, tmp_path
):
    """A pass for states ends early; adapters of the next system are added to what it leaves."""
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    base_folder(experiment(tiny_base, "none"))  # as `fetch` leaves it: the processes only read it
    one = isolated(states_of_two_systems, tiny_base, pictures)
    piece = Piece("heads", states_of_two_systems, (tiny_base, pictures))
    ((_, two),) = work_through([piece], 2, 1, (start_worker,))
    assert two == one
    assert len(set(one)) == 2, "each has states of its own"
