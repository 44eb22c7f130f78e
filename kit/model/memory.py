"""Memory: what the device has free, what a pass takes, and work in pieces that fit."""

import gc
import resource
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from kit.console import say
from kit.errors import EnvironmentFault

SAID = ("can't allocate memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
T = TypeVar("T")
R = TypeVar("R")


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory does not suffice, on a GPU or a CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    # The CPU's allocator, the driver and cuBLAS have no class of their own for it.
    return isinstance(error, RuntimeError) and any(text in str(error) for text in SAID)


def release() -> None:
    """Give back what nobody refers to any more; call it outside of the `except` block.

    Inside, the error's traceback still holds the tensors of the pass that failed.
    """
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def peak_memory() -> int:
    """Return the peak of this process in bytes: GPU memory where there is one, else resident."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class GpuMeter:
    """What passes take of the current GPU, in bytes."""

    def free(self) -> int:
        """What this process can still have: the driver's rest and its own allocator's reserve."""
        rest, _ = torch.cuda.mem_get_info()
        return int(rest + torch.cuda.memory_reserved() - torch.cuda.memory_allocated())

    def taken(self, work: Callable[[], object]) -> int:
        """Run `work` and return by how much it raised the peak over what was there."""
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        work()
        return int(torch.cuda.max_memory_allocated() - before)


class Pieces:
    """Runs work over sequences in pieces; where a piece does not fit, it and all later are halved.

    For passes without a gradient, where a smaller piece costs speed alone.
    """

    def __init__(self, size: int, what: str) -> None:
        self.size, self._what = size, what

    def run(self, work: Callable[[Sequence[T]], list[R]], items: Sequence[T]) -> list[R]:
        """Return what `work` makes of all items, in order.

        Raises:
            EnvironmentFault: one item alone does not fit.
        """
        done: list[R] = []
        start = 0
        while start < len(items):
            piece = items[start : start + self.size]
            try:
                done += work(piece)
                start += len(piece)
                continue
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                found = str(error)[:200]
            self._halve(len(piece), found)
        return done

    def _halve(self, tried: int, found: str) -> None:
        release()
        if tried == 1:
            raise EnvironmentFault(
                f"{self._what}: memory does not suffice for a single one",
                found=found,
                remedy="use a device with more memory, or leave it to this process alone",
            )
        self.size = tried // 2
        say(f"  out of memory with {tried} {self._what} at once: going on with {self.size}")
