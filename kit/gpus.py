"""The GPUs of this machine as nvidia-smi, the driver's own program, describes them."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

QUERY = "name,driver_version,compute_cap,memory.total"


@dataclass(frozen=True)
class Gpu:
    """One GPU; `memory` in bytes, `capability` as in "9.0"."""

    name: str
    driver: str
    capability: str
    memory: int


def gpus() -> tuple[Gpu, ...]:
    """Return this machine's GPUs; none if nvidia-smi is missing or finds no driver."""
    query = ["nvidia-smi", f"--query-gpu={QUERY}", "--format=csv,noheader,nounits"]
    try:
        table = subprocess.run(query, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    found = []
    for line in table.splitlines():
        fields = [part.strip() for part in line.split(",")]
        if len(fields) == 4 and fields[3].isdigit():
            found.append(Gpu(fields[0], fields[1], fields[2], int(fields[3]) << 20))
    return tuple(found)


def visible_gpus() -> tuple[str, ...]:
    """Return CUDA's names of the GPUs that this process may use."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return tuple(name.strip() for name in chosen.split(",") if name.strip())
    return tuple(str(number) for number in range(len(gpus())))


@contextmanager
def one_gpu(names: tuple[str, ...], number: int, count: int = 1) -> Iterator[None]:
    """Let processes that are started now see one of several GPUs: `number` modulo their count.

    With a `count`, they see so many: those from `number` times `count` on.

    The choice is in their environment from the start, because CUDA reads it once, when a library is
    imported.
    """
    if len(names) < 2:
        yield
        return
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    chosen = [names[(number * count + each) % len(names)] for each in range(count)]
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(chosen)
    try:
        yield
    finally:
        del os.environ["CUDA_VISIBLE_DEVICES"]
        if before is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = before
