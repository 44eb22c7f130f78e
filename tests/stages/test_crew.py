"""A crew: one result, one publisher, and an error that names the process that was the cause."""

import os
import signal

import pytest
import torch

from kit.artifacts import Artifact
from kit.console import mode
from kit.errors import DataError, EnvironmentFault
from kit.model import sharding
from kit.stages.crew import LostOthers, Piece, work_through
from kit.stages.workers import start_worker

pytestmark = pytest.mark.slow
MADE = Artifact("unlearn", "made-by-a-crew", "7" * 64)


def rank() -> int:
    return torch.distributed.get_rank()


def publish() -> tuple[int, int, str]:
    """Build the artifact, each process with its own rank in it."""
    MADE.adopt("begun")
    sharding.meet()
    MADE.partial.mkdir(parents=True, exist_ok=True)
    begun = MADE.partial / "begun"
    assert begun.read_text() == "by an earlier run", "every process resumes from it"
    begun.write_text(f"by {rank()}")
    MADE.publish({})
    sharding.meet()
    return rank(), os.getpid(), mode()


def agree() -> tuple[list[int], str, int]:
    """Return what this process takes from the first one; each has numbers of its own."""
    own = torch.full((2,), 10 + rank())
    sharding.agree_on(own)
    assert (sharding.agreed(rank()), own.tolist()) == (0, [10, 10]), "in every process"
    return own.tolist(), sharding.agreed(f"said by {rank()}"), os.getpid()


def fail() -> None:
    if rank() == 1:
        raise DataError("image 7 cannot be read", remedy="fetch it")
    sharding.meet()


def end(number: int) -> None:
    if rank() == 1:
        os.kill(os.getpid(), number)
    sharding.meet()


def work(*pieces, patience_s=600.0):
    return dict(work_through(pieces, 2, 1, (start_worker,), patience_s))


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))


def test_the_first_process_publishes_and_reports_and_decides():
    MADE.partial.mkdir(parents=True)
    (MADE.partial / "begun").write_text("by an earlier run")
    found = work(Piece("a", publish, ()), Piece("b", agree, ()))
    first, process, quiet = found[0]
    assert (first, quiet) == (0, "")
    assert found[1] == ([10, 10], "said by 0", process), "one process does one piece after another"
    assert (MADE.path / "begun").read_text() == "by 0"
    assert [path.name for path in MADE.path.parent.iterdir()] == [MADE.path.name]


def test_an_error_of_one_process_is_the_error_of_the_work():
    with pytest.raises(DataError, match="image 7 cannot be read"):
        work(Piece("unlearn, job toy", fail, ()))


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (signal.SIGKILL, "unlearn, job toy, process 2 of 2: a worker process was killed"),
        (signal.SIGSTOP, "unlearn, job toy: process 2 of 2 does not answer the others"),
    ],
)
def test_a_process_that_is_killed_or_hangs_is_named(number, said):
    with pytest.raises(EnvironmentFault) as caught:
        work(Piece("unlearn, job toy", end, (number,)), patience_s=10)
    assert caught.value.what == said
    assert not isinstance(caught.value, LostOthers)
    assert "run" in caught.value.remedy


def test_a_crew_without_enough_gpus_is_refused_before_a_process_starts(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(EnvironmentFault, match=r"compute\.shards = 2 needs 2 GPUs") as caught:
        work(Piece("unlearn, job toy", end, (signal.SIGKILL,)))
    assert caught.value.found == "1"
