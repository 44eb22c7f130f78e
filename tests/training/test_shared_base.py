"""Processes that share a base train what one process trains, bit by bit, and fail together."""

import json

import pytest

from kit.errors import EnvironmentFault
from kit.sources.datasets import base_folder
from kit.stages.crew import Piece, work_through
from kit.stages.workers import isolated, start_worker
from tests.toys.crew_job import experiment, toy_jobs, train_toys

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def cache(tiny_base, monkeypatch, tmp_path):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    base_folder(experiment(tiny_base, "none"))  # as `fetch` leaves it: the processes only read it


def shared(*arguments, size=2):
    piece = Piece("unlearn, job toy", train_toys, arguments)
    ((_, held),) = work_through([piece], size, 1, (start_worker,))
    return held


def files(job):
    """Return the bytes of an artifact's files, less what it says about time."""
    found = {path.name: path.read_bytes() for path in job.artifact.path.iterdir()}
    return {name: content for name, content in found.items() if name != "job.json"}


def record(job):
    return json.loads((job.artifact.path / "job.json").read_text())


@pytest.mark.parametrize("quantization", ["none", "nf4"])
def test_two_processes_with_half_of_the_weights_each_train_the_bits_of_one(
    tiny_base, pictures, quantization
):
    assert isolated(train_toys, tiny_base, pictures, "one", quantization) == []
    held = shared(tiny_base, pictures, "two", quantization)
    assert {here * 2 == whole for here, whole in held} == {True}
    assert sum(whole for _, whole in held) > 100_000, "the decoder's layers"
    for one, two in zip(toy_jobs("one"), toy_jobs("two"), strict=True):
        assert files(one) == files(two)
        assert record(one)["forward_passes"] == record(two)["forward_passes"]
        assert "shards" not in record(one)["determinism"]
        assert record(two)["determinism"]["shards"] == 2
        assert not two.artifact.partial.exists()


@pytest.mark.extended
def test_a_killed_process_ends_all_by_name_and_the_next_run_goes_on_to_the_same_bits(
    tiny_base, pictures
):
    shared(tiny_base, pictures, "whole", "none")
    with pytest.raises(EnvironmentFault, match=r"toy, process 2 of 2: a worker .* was killed"):
        shared(tiny_base, pictures, "cut", "none", 1)
    vanilla, cut = toy_jobs("cut")
    assert vanilla.artifact.done
    assert not cut.artifact.done
    assert (cut.artifact.partial / "checkpoint").is_file()
    shared(tiny_base, pictures, "cut", "none")
    for one, two in zip(toy_jobs("whole"), toy_jobs("cut"), strict=True):
        assert files(one) == files(two)
    assert record(cut)["steps"] == 4
