"""Settings that make equal inputs give equal bits, and a record of what could not be made so.

On a CPU the number of threads decides (`compute.threads`); nothing else is set. On a GPU PyTorch
promises equal results only on one kind of card with one set of packages, and some operations have
no deterministic kernel: the job's record names those that ran. Source: PyTorch's notes on
reproducibility.
"""

import os
import re
import warnings
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor

from kit.model import sharding

T = TypeVar("T")
# cuBLAS reads it when it starts, so it must be set before the process first uses a GPU.
ENVIRONMENT = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
NONDETERMINISTIC = re.compile(r"^(?P<name>.{1,80}?) does not have a deterministic implementation")
DEFAULTS_TO = re.compile(r"^(?P<name>.{1,80}?) defaults to a non-deterministic algorithm")

_given_up: set[str] = set()  # operations for which this process left strict mode


def enable() -> None:
    """Ask for deterministic kernels and full float32 precision, before a GPU is first used."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if torch.cuda.is_available():
        # Only a warning: the run is useful all the same, and its record names the operation.
        torch.use_deterministic_algorithms(True, warn_only=True)
        # It would fill every new tensor, which matters only to code that reads unwritten memory.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark = False
        torch.set_float32_matmul_precision("highest")


def backward(loss: Tensor, *, again: bool = False) -> None:
    """Go backward, on a GPU with deterministic kernels.

    Args:
        again: keep what another loss that shares the graph needs for its own backward pass.

    PyTorch selects attention's deterministic kernel only in strict mode. Backward therefore runs in
    strict mode until some operation turns out to have no deterministic kernel (`with_fallback`).
    A shared base is never in strict mode: a pass that stops halfway cannot be repeated there.
    """
    if _given_up or sharding.size() > 1 or not torch.are_deterministic_algorithms_enabled():
        loss.backward(retain_graph=again)
        return
    torch.use_deterministic_algorithms(True)
    try:
        loss.backward(retain_graph=again)
    finally:
        torch.use_deterministic_algorithms(True, warn_only=True)


def with_fallback(work: Callable[[], T]) -> T:
    """Return `work()`; if an operation has no deterministic kernel, repeat without strict mode.

    The operation's name is recorded. `work` must be repeatable.
    """
    try:
        return work()
    except RuntimeError as error:
        found = NONDETERMINISTIC.match(str(error))
        if not found or _given_up:
            raise
        _given_up.add(found["name"])
    return work()


@contextmanager
def record_nondeterminism() -> Iterator[set[str]]:
    """Yield a set that receives the operations that run without a deterministic kernel."""
    names: set[str] = set()

    def note(message: Warning | str, *_: Any, **__: Any) -> None:
        for form in (NONDETERMINISTIC, DEFAULTS_TO):
            if found := form.match(str(message)):
                names.add(found["name"])

    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)  # otherwise some warn once per process: in its first job only
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("once", message=".*deterministic")
            warnings.showwarning = note
            yield names
    finally:
        torch.set_warn_always(before)


def state(names: Set[str] | None = None) -> dict[str, object]:
    """Return the settings as JSON.

    Args:
        names: what `record_nondeterminism` collected; None where nothing was recorded.
    """
    shared = {"shards": sharding.size()} if sharding.size() > 1 else {}
    if not torch.cuda.is_available():
        return {"device": "cpu", "threads": torch.get_num_threads(), **shared}
    return {
        **shared,
        "device": torch.cuda.get_device_name(),
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "deterministic_backward": not _given_up and not shared,
        "nondeterministic_operations": None if names is None else sorted({*names, *_given_up}),
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        **{name.lower(): os.environ.get(name) for name in ENVIRONMENT},
    }
