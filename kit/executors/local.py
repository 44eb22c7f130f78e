"""Run training jobs in worker processes of this machine, each with a model and its threads."""

import ctypes
import logging
import multiprocessing
import os
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from kit.errors import EnvironmentFault
from kit.manifest import Manifest
from kit.plan import Job

T = TypeVar("T")
PR_SET_PDEATHSIG = 1  # prctl(2), Linux

_session: Any = None


def run_jobs(manifest: Manifest, jobs: Sequence[Job]) -> Iterator[tuple[Job, dict[str, Any]]]:
    """Run jobs, longest first, and yield each with its record as it ends.

    Raises:
        EnvironmentFault: a worker died (most often: killed for memory). Finished jobs are kept.
    """
    workers = min(manifest.compute.workers, len(jobs))
    if not workers:
        return
    ordered = sorted(jobs, key=lambda job: -job.settings.steps * job.settings.batch_size)
    with _pool(workers, _open_session, manifest) as pool:
        futures = {pool.submit(_run, job): job for job in ordered}
        for future in as_completed(futures):
            yield futures[future], future.result()


def isolated(function: Callable[..., T], *arguments: Any) -> T:
    """Call `function` in a fresh process: engines set threads and seeds for a whole process."""
    with _pool(1, _start_worker) as pool:
        return pool.submit(function, *arguments).result()


def scatter(function: Callable[..., T], arguments: Sequence[tuple[Any, ...]]) -> list[T]:
    """Call `function` once for each tuple of arguments, each in a fresh process, side by side."""
    with _pool(len(arguments), _start_worker) as pool:
        futures = [pool.submit(function, *values) for values in arguments]
        for future in as_completed(futures):
            future.result()
        return [future.result() for future in futures]


@contextmanager
def _pool(
    workers: int, initializer: Callable[..., None], *arguments: Any
) -> Iterator[ProcessPoolExecutor]:
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer, arguments)
    try:
        yield pool
    except BaseException as error:
        # Also on Ctrl-C: the others are stopped at once; their checkpoints stay.
        processes = multiprocessing.active_children()
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
            process.join()
        if isinstance(error, BrokenProcessPool):
            raise EnvironmentFault(
                "a worker process was killed",
                expected="enough memory for every worker",
                remedy="lower compute.workers or the micro-batch and run again: finished jobs stay",
            ) from None
        raise
    pool.shutdown()


def _open_session(manifest: Manifest) -> None:
    global _session
    _start_worker()
    from kit.jobs import Session

    _session = Session(manifest)


def _start_worker() -> None:
    """A worker whose parent is killed must not go on writing; Ctrl-C is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    _quieten()


def _quieten() -> None:
    """Keep libraries' notes about themselves out of the progress lines; errors still show."""
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    logging.getLogger("bitsandbytes").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module="torch")


def _run(job: Job) -> dict[str, Any]:
    record: dict[str, Any] = _session.run(job)
    return record
