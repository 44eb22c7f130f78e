"""The GPUs of this machine, as the driver's own program describes them; no package is needed."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

QUERY = "name,driver_version,compute_cap,memory.total"


@dataclass(frozen=True)
class Gpu:
    """One card, as nvidia-smi describes it; `memory` in bytes."""

    name: str
    driver: str
    capability: str
    memory: int


def gpus() -> tuple[Gpu, ...]:
    """Return the visible GPUs; none where nvidia-smi is missing or finds no driver."""
    asked = ["nvidia-smi", f"--query-gpu={QUERY}", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    found = []
    for line in said.splitlines():
        fields = [part.strip() for part in line.split(",")]
        if len(fields) == 4 and fields[3].isdigit():
            found.append(Gpu(fields[0], fields[1], fields[2], int(fields[3]) << 20))
    return tuple(found)


def visible() -> tuple[str, ...]:
    """Return the names by which CUDA knows the cards that this process may use."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return tuple(name.strip() for name in chosen.split(",") if name.strip())
    return tuple(str(number) for number in range(len(gpus())))


@contextmanager
def one_card(cards: tuple[str, ...], number: int) -> Iterator[None]:
    """Let processes that are started now see one of several cards, the `number`-th in turn.

    In their environment from the start: CUDA reads it once, when a library is imported.
    """
    if len(cards) < 2:
        yield
        return
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    os.environ["CUDA_VISIBLE_DEVICES"] = cards[number % len(cards)]
    try:
        yield
    finally:
        del os.environ["CUDA_VISIBLE_DEVICES"]
        if before is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = before
