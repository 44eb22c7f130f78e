"""Errors for workers that ended, or that this machine has no GPUs for."""

import signal

from kit.errors import EnvironmentFault
from kit.failures import MEMORY_REMEDY

KILLED = "SIGKILL, as the system sends it where memory ends"
UNKNOWN = "a worker that ended without a word"


def too_few_gpus(key: str, wanted: int, found: int) -> EnvironmentFault:
    """Return the error for a base that is to be spread over more GPUs than there are."""
    return EnvironmentFault(
        f"{key} = {wanted} needs {wanted} GPUs on one machine",
        expected=f"{wanted}",
        found=f"{found}",
        remedy=f"lower {key} (`./run.sh plan` says how many the base needs), or use a machine with "
        "more GPUs",
    )


def ended_worker(begin: str, code: int | None) -> EnvironmentFault:
    """Return the error for a worker that ended with a code; negative for a signal."""
    signals = {-number.value: number.name for number in signal.Signals}
    name = signals.get(code or 0, "")
    if name and name not in ("SIGKILL", "SIGTERM", "SIGINT"):
        return EnvironmentFault(
            f"{begin}a worker process crashed in a library ({name})",
            expected="a worker that ends by itself",
            found=f"an end by the signal {name}",
            remedy="run the same command again: finished jobs are kept. If it crashes again, run "
            "`./run.sh doctor`: the packages may not fit this processor or driver",
        )
    return EnvironmentFault(
        f"{begin}a worker process was killed",
        expected="enough memory for every worker",
        found=KILLED if name == "SIGKILL" else name or UNKNOWN,
        remedy=MEMORY_REMEDY,
    )
