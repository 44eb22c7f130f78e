"""Memory of the device: how much is free, how much a pass takes, and work in batches that fit."""

import gc
import os
import resource
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import torch

from kit.console import say
from kit.errors import EnvironmentFault
from kit.failures import out_of_memory
from kit.model import sharding

# torch 2.9 and newer read the second name as well.
ALLOCATOR = ("PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF")
T = TypeVar("T")
R = TypeVar("R")


def expand_segments() -> None:
    """Let a GPU's memory grow in place, so that records of other lengths leave no gaps in it.

    Call it before the process first uses the GPU. A setting of the user's is left as it is.
    """
    if not any(name in os.environ for name in ALLOCATOR):
        os.environ[ALLOCATOR[0]] = "expandable_segments:True"


def release() -> None:
    """Return unused memory to the device; call it outside of the `except` block.

    Inside, the error's traceback still holds the tensors of the pass that failed.
    """
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def retry_smaller(attempt: Callable[[], T], shrink: Callable[[str], None]) -> T:
    """Return `attempt()`; where memory does not suffice, call `shrink` and try again.

    A process that shares its base tries once: the others are in the middle of the same pass.

    Args:
        shrink: makes the next attempt smaller, or raises the error that ends the work. It is given
            the first 200 characters of the library's message.
    """
    while True:
        try:
            return attempt()
        except (RuntimeError, MemoryError) as error:
            if sharding.size() > 1 or not out_of_memory(error):
                raise
            found = str(error)[:200]
        shrink(found)


def peak_memory() -> int:
    """Return the peak of this process in bytes: GPU memory where there is one, else resident."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class GpuMeter:
    """Measures the memory of the current GPU, in bytes."""

    def free(self) -> int:
        """Return what this process can still use: free on the device or in its own reserve."""
        rest, _ = torch.cuda.mem_get_info()
        return int(rest + torch.cuda.memory_reserved() - torch.cuda.memory_allocated())

    def taken(self, work: Callable[[], object]) -> int:
        """Run `work` and return by how much its peak exceeds the memory in use before."""
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        work()
        return int(torch.cuda.max_memory_allocated() - before)


class HalvingBatches:
    """Runs work over a sequence in batches; where one does not fit, it and later ones are halved.

    For passes that train nothing, where a smaller batch costs nothing but speed.

    Args:
        size: of a batch at first.
        what: the items, in the plural, for messages.
    """

    def __init__(self, size: int, what: str) -> None:
        self.size, self._what = size, what

    def run(self, work: Callable[[Sequence[T]], list[R]], items: Sequence[T]) -> list[R]:
        """Return the results of `work` on all items, in order.

        Raises:
            EnvironmentFault: a single item does not fit.
        """
        done: list[R] = []
        rest = items
        while rest:
            done += retry_smaller(partial(self._first, work, rest), partial(self._halve, len(rest)))
            rest = rest[self.size :]
        return done

    def _first(self, work: Callable[[Sequence[T]], list[R]], items: Sequence[T]) -> list[R]:
        return work(items[: self.size])

    def _halve(self, available: int, found: str) -> None:
        release()
        tried = min(self.size, available)
        if tried == 1:
            raise EnvironmentFault(
                f"{self._what}: memory does not suffice for a single one",
                expected="memory for one of them",
                found=found,
                remedy="use a device with more memory, or stop other programs that use it",
            )
        self.size = tried // 2
        say(f"  out of memory with {tried} {self._what} at once: continuing with {self.size}")
