"""Processes that share one base (`kit.model.sharding`) and do the same work at the same time.

The first one's result counts, and it alone publishes: the others build in a folder that is thrown
away. A process that fails, is killed or does not answer ends the work of all.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar, cast

from kit.apart import build_apart
from kit.console import MODE, QUIET
from kit.errors import EnvironmentFault
from kit.experiment.manifest import Manifest
from kit.gpus import one_gpu, visible_gpus
from kit.plan.jobs import Job
from kit.stages.ends import too_few_gpus
from kit.stages.workers import (
    JobRecord,
    Pool,
    longest_first,
    open_worker,
    run_job,
    scatter,
    start_worker,
)

T = TypeVar("T")
PATIENCE_S = 600.0  # for another process of the crew; loading a base takes as long in each
CAUSE_S = 5.0  # for the cause to show after its consequence
CHECKPOINT = "checkpoint"  # as kit.training.checkpoint names it


@dataclass(frozen=True)
class Piece:
    """A call that every process of a crew makes; `place` is what it works on, for messages."""

    place: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Member:
    """One process of a crew."""

    rank: int
    size: int
    folder: Path
    """Of the crew, for its meeting and for what is thrown away."""
    patience_s: float


class LostOthers(EnvironmentFault):
    """A process of a crew cannot go on, because another one ended or does not answer."""


def train_together(
    manifest: Manifest, jobs: Sequence[Job]
) -> Generator[tuple[Job, JobRecord], None, None]:
    """Run training jobs as `run_jobs`, each by `compute.shards` processes.

    Raises:
        EnvironmentFault: too few GPUs; or a process was killed, or does not answer.
    """
    ordered = longest_first(jobs)
    pieces = [Piece(f"{job.stage}, job {job.name}", _train, (job,)) for job in ordered]
    size, most = manifest.compute.shards, manifest.compute.workers
    for number, record in work_through(pieces, size, most, (open_worker, manifest)):
        yield ordered[number], cast("JobRecord", record)


def together(
    function: Callable[..., T],
    arguments: Sequence[tuple[object, ...]],
    places: Sequence[str],
    size: int,
) -> list[T]:
    """Call `function` as `scatter` does, each call by `size` processes that share a base."""
    if size == 1:
        return scatter(function, arguments, places)
    pieces = [
        Piece(place, function, values) for place, values in zip(places, arguments, strict=True)
    ]
    found = dict(work_through(pieces, size, len(pieces), (start_worker,)))
    return [found[number] for number in range(len(pieces))]


def work_through(
    pieces: Sequence[Piece],
    size: int,
    most: int,
    opener: tuple[Any, ...],
    patience_s: float = PATIENCE_S,
) -> Iterator[tuple[int, Any]]:
    """Do all pieces of work; yield the number of each and what the first process returned.

    Args:
        size: processes of a crew.
        most: crews at the same time; fewer where there are fewer GPUs.
        opener: a function and its arguments, called in each process when it starts.

    Raises:
        EnvironmentFault: too few GPUs; or a process was killed, or does not answer.
    """
    waiting = deque(enumerate(pieces))
    with ExitStack() as stack:
        crews = [
            stack.enter_context(_crew(size, number, opener, patience_s))
            for number in range(min(_room(size, most), len(pieces)))
        ]
        running: dict[_Crew, int] = {}
        while waiting or running:
            for crew in crews:
                if waiting and crew not in running:
                    running[crew], piece = waiting.popleft()
                    crew.start(piece)
            wait([f for crew in running for f in crew.left()], return_when=FIRST_COMPLETED)
            for crew, number in list(running.items()):
                if crew.has_ended:
                    del running[crew]
                    yield number, crew.result()


def _room(size: int, most: int) -> int:
    """Return how many crews have GPUs of their own; without any GPU, all.

    Raises:
        EnvironmentFault: there is room for none.
    """
    found = len(visible_gpus())
    if not found:
        return most
    if found < size:
        raise too_few_gpus("compute.shards", size, found)
    return min(most, found // size)


@contextmanager
def _crew(size: int, number: int, opener: tuple[Any, ...], patience_s: float) -> Iterator["_Crew"]:
    with TemporaryDirectory(prefix="pebench-crew-") as folder, ExitStack() as stack:
        pools = [stack.enter_context(Pool(1, *opener)) for _ in range(size)]
        members = [Member(rank, size, Path(folder), patience_s) for rank in range(size)]
        yield _Crew(members, pools, number)


class _Crew:
    """A pool of one process for each rank, so that it is known which process does what."""

    def __init__(self, members: Sequence[Member], pools: Sequence[Pool], number: int) -> None:
        self._members, self._pools, self._number = members, pools, number
        self._futures: list[Future[Any]] = []
        self._place = ""

    def start(self, piece: Piece) -> None:
        """Let every process begin a piece of work."""
        self._place, gpus, size = piece.place, visible_gpus(), len(self._pools)
        self._futures = []
        for member, pool in zip(self._members, self._pools, strict=True):
            with one_gpu(gpus, self._number * size + member.rank):
                place = f"{piece.place}, process {member.rank + 1} of {size}"
                call = (member, piece.function, *piece.arguments)
                self._futures.append(pool.submit(place, _as_member, *call))

    def left(self) -> list[Future[Any]]:
        """Return what is still running."""
        return [future for future in self._futures if not future.done()]

    @property
    def has_ended(self) -> bool:
        """Whether all processes are done, or one has failed: the others would wait for it."""
        return not self.left() or any(f.done() and f.exception() for f in self._futures)

    def result(self) -> Any:
        """Return what the first process returned.

        Raises:
            KitError: a process failed; the first cause is raised, not what followed from it.
        """
        if all(isinstance(error, LostOthers) for error in self._errors()):
            wait(self._futures, CAUSE_S if self._errors() else None)
        for future, pool in zip(self._futures, self._pools, strict=True):
            if future.done() and isinstance(future.exception(), BrokenProcessPool):
                raise pool.killed() from None
        errors = self._errors()
        for error in errors:
            if not isinstance(error, LostOthers):
                raise error
        if errors:
            raise self._silent(errors[0])
        return self._futures[0].result()

    def _errors(self) -> list[BaseException]:
        found = (future.exception() for future in self._futures if future.done())
        return [error for error in found if error is not None]

    def _silent(self, error: BaseException) -> EnvironmentFault:
        size, patience = len(self._futures), self._members[0].patience_s
        silent = [number for number, f in enumerate(self._futures, 1) if not f.done()]
        who = " and ".join(map(str, silent)) or "one of them"
        return EnvironmentFault(
            f"{self._place}: process {who} of {size} does not answer the others",
            expected=f"{size} processes that share the base and wait for each other for at most "
            f"{patience:.0f} s",
            found=str(error).partition("\n  found: ")[2].partition("\n")[0],
            remedy="run the same command again: it continues from its checkpoint. If it happens "
            "again, look for a hung GPU (nvidia-smi, dmesg) and for a full or slow disk",
        )


def _as_member(member: Member, function: Callable[..., T], *arguments: object) -> T:
    """Call a function in a process of a crew."""
    from kit.model import sharding

    try:
        if sharding.size() == 1:
            if member.rank:
                os.environ[MODE] = QUIET
                build_apart(member.folder / str(member.rank))
            meeting = member.folder / "meeting"
            sharding.join(meeting, member.rank, member.size, member.patience_s)
        return function(*arguments)
    except Exception as error:
        if not sharding.has_lost_others(error):
            raise
        raise LostOthers(
            f"process {member.rank + 1} of {member.size} lost the others", found=str(error)[:300]
        ) from error


def _train(job: Job) -> JobRecord:
    from kit.model import sharding

    job.artifact.adopt(CHECKPOINT)
    sharding.meet()  # before the first process may replace the checkpoint
    return run_job(job)
