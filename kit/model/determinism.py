"""What is switched so that equal inputs give equal bits, and what could not be.

On a CPU the number of threads decides (`compute.threads`); nothing else is switched. On a GPU
PyTorch promises equal results on one kind of card with one set of packages only, and some
operations have no deterministic form: those that ran are named in the job's record. Source:
PyTorch's notes on reproducibility.
"""

import os
import re
import warnings
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")
# Read by cuBLAS when it starts, so they are set before a process first uses a GPU.
ENVIRONMENT = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
NONDETERMINISTIC = re.compile(r"^(?P<name>.{1,80}?) does not have a deterministic implementation")
DEFAULTS_TO = re.compile(r"^(?P<name>.{1,80}?) defaults to a non-deterministic algorithm")

_given_up: set[str] = set()  # operations of this process for which `backward` stopped insisting


def switch_on() -> None:
    """Ask for deterministic kernels and full precision of float32; before a GPU is first used."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if torch.cuda.is_available():
        # Only a warning: the run is worth having, and the record says what was not.
        torch.use_deterministic_algorithms(True, warn_only=True)
        # It would fill every new tensor; what is read before it is written is a bug elsewhere.
        torch.utils.deterministic.fill_uninitialized_memory = False
        torch.backends.cudnn.benchmark = False
        torch.set_float32_matmul_precision("highest")


def backward(loss: Tensor) -> None:
    """Go backward, on a GPU with deterministic kernels.

    PyTorch takes attention's deterministic kernel only where an operation that has none would be an
    error, not a warning. So it is one here, until there is one (`whichever_way`).
    """
    if _given_up or not torch.are_deterministic_algorithms_enabled():
        loss.backward()
        return
    torch.use_deterministic_algorithms(True)
    try:
        loss.backward()
    finally:
        torch.use_deterministic_algorithms(True, warn_only=True)


def whichever_way(work: Callable[[], T]) -> T:
    """Return `work()`, made again where an operation has no deterministic form; it is on record.

    `work` must be able to begin anew.
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
def watched() -> Iterator[set[str]]:
    """Yield the names of operations that ran without a deterministic form."""
    names: set[str] = set()

    def note(message: Warning | str, *_: Any, **__: Any) -> None:
        for form in (NONDETERMINISTIC, DEFAULTS_TO):
            if found := form.match(str(message)):
                names.add(found["name"])

    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)  # otherwise some are said once a process, to its first job
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("once", message=".*deterministic")
            warnings.showwarning = note
            yield names
    finally:
        torch.set_warn_always(before)


def switches(names: Set[str] | None = None) -> dict[str, Any]:
    """Return what was switched, as JSON, with the operations that `watched` saw, if it looked."""
    if not torch.cuda.is_available():
        return {"device": "cpu", "threads": torch.get_num_threads()}
    return {
        "device": torch.cuda.get_device_name(),
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "deterministic_backward": not _given_up,
        "nondeterministic_operations": None if names is None else sorted({*names, *_given_up}),
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        **{name.lower(): os.environ.get(name) for name in ENVIRONMENT},
    }
