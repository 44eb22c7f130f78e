"""Worker processes of this machine, each with its own model, threads and GPU.

A stage (in `kit.stages.run`) hands work to functions of `kit.training.worker` and `kit.evaluation`,
which run on the other side of the process boundary.
"""

import ctypes
import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, TypedDict, TypeVar, cast

from kit.console import quieten
from kit.errors import EnvironmentFault
from kit.experiment.manifest import Manifest
from kit.gpus import one_gpu, visible_gpus
from kit.plan.jobs import Job

if TYPE_CHECKING:
    from kit.training.worker import Worker

T = TypeVar("T")
PR_SET_PDEATHSIG = 1  # prctl(2), Linux
MEMORY_REMEDY = "lower compute.workers or the micro-batch and run again; finished jobs are kept"

_worker: "Worker | None" = None  # of this process, if it trains


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
    """
    workers = min(manifest.compute.workers, len(jobs))
    if not workers:
        return
    ordered = sorted(jobs, key=lambda job: -job.settings.steps * job.settings.batch_size)
    gpus = visible_gpus()
    with _pool(workers, _open_worker, manifest) as pool:
        futures = {}
        for number, job in enumerate(ordered):
            with one_gpu(gpus, number):
                futures[_submit(pool, _run, job)] = job
        for future in as_completed(futures):
            yield futures[future], future.result()


def isolated(function: Callable[..., T], *arguments: object) -> T:
    """Call `function` in a new process: engines set threads and seeds for a whole process."""
    return scatter(function, [arguments])[0]


def scatter(function: Callable[..., T], arguments: Sequence[tuple[object, ...]]) -> list[T]:
    """Call `function` once per tuple of arguments, in parallel, each call in a new process."""
    with _pool(len(arguments), _start_worker) as pool:
        futures = []
        gpus = visible_gpus()
        for number, values in enumerate(arguments):
            with one_gpu(gpus, number):
                futures.append(_submit(pool, function, *values))
        for future in as_completed(futures):
            future.result()
        return [future.result() for future in futures]


def _submit(
    pool: ProcessPoolExecutor, function: Callable[..., T], *arguments: object
) -> "Future[T]":
    """Submit a call. If this starts a worker, it ignores Ctrl-C from its first moment on."""
    resource_tracker.ensure_running()  # if it started later, it would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.submit(function, *arguments)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _pool(
    workers: int, initializer: Callable[..., None], *arguments: object
) -> Iterator[ProcessPoolExecutor]:
    quieten()
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer, arguments)
    try:
        yield pool
    except BaseException as error:
        # Also on Ctrl-C: kill the other workers. Their checkpoints are kept.
        processes = multiprocessing.active_children()
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            _kill_with_children(process)
        if isinstance(error, BrokenProcessPool):
            raise EnvironmentFault(
                "a worker process was killed",
                expected="enough memory for every worker",
                remedy=MEMORY_REMEDY,
            ) from None
        # torch's error for a full GPU is recognised by its name: this module never imports torch.
        if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
            raise EnvironmentFault(
                "not enough memory", found=str(error)[:200], remedy=MEMORY_REMEDY
            ) from None
        raise
    pool.shutdown()


def _kill_with_children(process: BaseProcess) -> None:
    """Kill a worker and its own processes: on a GPU, an engine's core is one of them."""
    import psutil

    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()
    process.kill()
    process.join()


def _open_worker(manifest: Manifest) -> None:
    global _worker
    _start_worker()
    from kit.training.worker import Worker

    _worker = Worker(manifest)


def _start_worker() -> None:
    """Let a worker die with its parent, so that it cannot go on writing, and ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():  # killed before the line above
        os._exit(1)
    quieten()


def _run(job: Job) -> JobRecord:
    assert _worker is not None, "run_jobs opens a worker in each process"
    return cast("JobRecord", _worker.run(job))
