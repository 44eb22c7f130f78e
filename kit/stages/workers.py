"""Worker processes of this machine, each with its own model, threads and GPU.

A stage (in `kit.stages.run`) hands work to functions of `kit.training.worker` and `kit.evaluation`,
which run on the other side of the process boundary. What a library raises there comes back as an
error of the kit that names the work.
"""

import ctypes
import gc
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypedDict, TypeVar, cast

from kit.console import quieten
from kit.errors import EnvironmentFault
from kit.experiment.manifest import Manifest
from kit.failures import kit_error
from kit.gpus import one_gpu, visible_gpus
from kit.plan.jobs import Job
from kit.stages.ends import ended_worker, too_few_gpus

if TYPE_CHECKING:
    from kit.training.worker import Worker

T = TypeVar("T")
PR_SET_PDEATHSIG = 1  # prctl(2), Linux
ENDED_SECONDS = 5.0  # for the system to say how a worker ended

_manifest: Manifest | None = None  # of this process, if it trains
_worker: "Worker | None" = None


class JobRecord(TypedDict):
    """The part of a trained adapter's job.json that a stage reports."""

    steps: int
    seconds: float
    stopped: str | None
    peak_memory_bytes: int | None


def run_jobs(
    manifest: Manifest, jobs: Sequence[Job]
) -> Generator[tuple[Job, JobRecord], None, None]:
    """Run training jobs, longest first; yield each with its record as it ends.

    Raises:
        EnvironmentFault: a worker was killed, usually for memory. Finished jobs are kept.
        UnforeseenError: a library failed in a worker; the error names the job.
    """
    workers = min(manifest.compute.workers, len(jobs))
    if not workers:
        return
    gpus = visible_gpus()
    with Pool(workers, open_worker, manifest) as pool:
        futures = {}
        for number, job in enumerate(longest_first(jobs)):
            with one_gpu(gpus, number):
                futures[pool.submit(f"{job.stage}, job {job.name}", run_job, job)] = job
        for future in as_completed(futures):
            yield futures[future], future.result()


def longest_first(jobs: Sequence[Job]) -> list[Job]:
    """Return the jobs in the order in which they are begun: no long one is left for the end."""
    return sorted(jobs, key=lambda job: -job.settings.steps * job.settings.batch_size)


def isolated(function: Callable[..., T], *arguments: object, place: str = "") -> T:
    """Call `function` in a new process: engines set threads and seeds for a whole process."""
    return scatter(function, [arguments], [place])[0]


def scatter(
    function: Callable[..., T],
    arguments: Sequence[tuple[object, ...]],
    places: Sequence[str] | None = None,
    cards: int = 1,
) -> list[T]:
    """Call `function` once per tuple of arguments, in parallel, each call in a new process.

    Args:
        places: what each call works on, for messages.
        cards: how many GPUs each call sees, where there are any.

    Raises:
        EnvironmentFault: there are fewer GPUs; or a process was killed.
    """
    with Pool(len(arguments), start_worker) as pool:
        futures = []
        gpus = visible_gpus()
        if 0 < len(gpus) < cards:
            raise too_few_gpus("evaluation.tensor_parallel_size", cards, len(gpus))
        names = places or [""] * len(arguments)
        for number, (place, values) in enumerate(zip(names, arguments, strict=True)):
            with one_gpu(gpus, number, cards):
                futures.append(pool.submit(place, function, *values))
        for future in as_completed(futures):
            future.result()
        return [future.result() for future in futures]


class Pool:
    """Worker processes that stop together, and that say which work a killed one was at."""

    def __init__(self, workers: int, initializer: Callable[..., None], *arguments: object) -> None:
        quieten()
        self._notes = TemporaryDirectory(prefix="pebench-workers-")
        context = multiprocessing.get_context("spawn")
        self._executor = ProcessPoolExecutor(workers, context, initializer, arguments)
        self._processes: dict[int, BaseProcess] = {}

    def submit(self, place: str, function: Callable[..., T], *arguments: object) -> "Future[T]":
        """Submit a call. If this starts a worker, it ignores Ctrl-C from its first moment on."""
        resource_tracker.ensure_running()  # if it started later, it would unblock the signal
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        others = {*multiprocessing.active_children()}
        try:
            notes = Path(self._notes.name)
            return self._executor.submit(_guarded, notes, place, function, *arguments)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            for process in {*multiprocessing.active_children()} - others:
                self._processes[process.pid or 0] = process

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        with self._notes:
            if error is None:
                self._executor.shutdown()
                return
            killed = self.killed() if isinstance(error, BrokenProcessPool) else None
            # Also on Ctrl-C: kill the other workers. Their checkpoints are kept.
            processes = multiprocessing.active_children()
            self._executor.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                _kill_with_children(process)
            if killed is not None:
                raise killed from None

    def killed(self) -> EnvironmentFault:
        """Return the error for a worker that ended without a word."""
        # The pool ends the others with SIGTERM.
        ended = {pid: ended_with(process) for pid, process in self._processes.items()}
        notes = Path(self._notes.name)
        # One that died at once was never seen among the children, but has left its note.
        unseen = next(
            (int(note.name) for note in notes.iterdir() if int(note.name) not in ended), 0
        )
        codes = (code for code in ended.items() if code[1] not in (None, 0, -signal.SIGTERM))
        first = next((pid for pid, _ in codes), unseen)
        note = notes / str(first)
        place = note.read_text(encoding="utf-8") if note.is_file() else ""
        return ended_worker(f"{place}: " if place else "", ended.get(first))


def ended_with(process: BaseProcess) -> int | None:
    """Return the exit code of a process that is about to end; None if it does not end.

    The pool's own thread waits for the same process. Whichever of two threads comes second is told
    of no code, until the first has noted it. So one `join` is not enough.
    """
    until = time.monotonic() + ENDED_SECONDS
    process.join(ENDED_SECONDS)
    while process.exitcode is None and time.monotonic() < until:
        time.sleep(0.01)
    return process.exitcode


def _kill_with_children(process: BaseProcess) -> None:
    """Kill a worker and its own processes: on a GPU, an engine's core is one of them."""
    import psutil

    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()
    process.kill()
    process.join()


def _guarded(notes: Path, place: str, function: Callable[..., T], *arguments: object) -> T:
    """Call a function in a worker; whatever it raises comes back as an error of the kit.

    Exceptions of libraries may not survive the way to the other process.
    """
    (notes / str(os.getpid())).write_text(place, encoding="utf-8")
    try:
        return function(*arguments)
    except BaseException as error:
        raise kit_error(error, place) from None


def open_worker(manifest: Manifest) -> None:
    global _manifest
    start_worker()
    _manifest = manifest


def start_worker() -> None:
    gc.set_threshold(10_000)  # as in `kit.__main__`, before torch is imported
    parent = multiprocessing.parent_process()
    die_with_parent(None if parent is None else parent.pid)


def die_with_parent(parent: int | None) -> None:
    """Let a worker die with its parent, so that it cannot go on writing, and ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent not in (None, os.getppid()):  # killed before the line above
        os._exit(1)
    quieten()


def run_job(job: Job) -> JobRecord:
    global _worker
    if _worker is None:  # not in the initializer: its errors are never shown
        from kit.training.worker import Worker

        assert _manifest is not None, "run_jobs opens a worker in each process"
        _worker = Worker(_manifest)
    return cast("JobRecord", _worker.run(job))
