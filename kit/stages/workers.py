"""Run training jobs in worker processes of this machine, each with a model and its threads."""

import ctypes
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any, TypeVar

from kit.console import quieten
from kit.errors import EnvironmentFault
from kit.experiment.manifest import Manifest
from kit.gpus import one_card, visible
from kit.plan.jobs import Job

T = TypeVar("T")
PR_SET_PDEATHSIG = 1  # prctl(2), Linux
LESS_MEMORY = "lower compute.workers or the micro-batch and run again: finished jobs stay"

_worker: Any = None


def run_jobs(manifest: Manifest, jobs: Sequence[Job]) -> Iterator[tuple[Job, dict[str, Any]]]:
    """Run jobs, longest first, and yield each with its record as it ends.

    Raises:
        EnvironmentFault: a worker died (most often: killed for memory). Finished jobs are kept.
    """
    workers = min(manifest.compute.workers, len(jobs))
    if not workers:
        return
    ordered = sorted(jobs, key=lambda job: -job.settings.steps * job.settings.batch_size)
    cards = visible()
    with _pool(workers, _open_worker, manifest) as pool:
        futures = {}
        for number, job in enumerate(ordered):
            with one_card(cards, number):
                futures[_submit(pool, _run, job)] = job
        for future in as_completed(futures):
            yield futures[future], future.result()


def isolated(function: Callable[..., T], *arguments: Any) -> T:
    """Call `function` in a fresh process: engines set threads and seeds for a whole process."""
    return scatter(function, [arguments])[0]


def scatter(function: Callable[..., T], arguments: Sequence[tuple[Any, ...]]) -> list[T]:
    """Call `function` once for each tuple of arguments, each in a fresh process, side by side."""
    with _pool(len(arguments), _start_worker) as pool:
        futures = []
        cards = visible()
        for number, values in enumerate(arguments):
            with one_card(cards, number):
                futures.append(_submit(pool, function, *values))
        for future in as_completed(futures):
            future.result()
        return [future.result() for future in futures]


def _submit(pool: ProcessPoolExecutor, function: Callable[..., T], *arguments: Any) -> "Future[T]":
    """Submit a call; a worker that this starts is deaf to Ctrl-C from its first moment on."""
    resource_tracker.ensure_running()  # it would unblock the signal when it starts later
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.submit(function, *arguments)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _pool(
    workers: int, initializer: Callable[..., None], *arguments: Any
) -> Iterator[ProcessPoolExecutor]:
    quieten()
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer, arguments)
    try:
        yield pool
    except BaseException as error:
        # Also on Ctrl-C: the others are stopped at once; their checkpoints stay.
        processes = multiprocessing.active_children()
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()
            process.join()
        if isinstance(error, BrokenProcessPool):
            raise EnvironmentFault(
                "a worker process was killed",
                expected="enough memory for every worker",
                remedy=LESS_MEMORY,
            ) from None
        # torch's error for a GPU is named without importing torch.
        if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
            raise EnvironmentFault(
                "memory does not suffice", found=str(error)[:200], remedy=LESS_MEMORY
            ) from None
        raise
    pool.shutdown()


def _open_worker(manifest: Manifest) -> None:
    global _worker
    _start_worker()
    from kit.training.worker import Worker

    _worker = Worker(manifest)


def _start_worker() -> None:
    """A worker whose parent is killed must not go on writing; Ctrl-C is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():  # it was killed before the line above
        os._exit(1)
    quieten()


def _run(job: Job) -> dict[str, Any]:
    record: dict[str, Any] = _worker.run(job)
    return record
