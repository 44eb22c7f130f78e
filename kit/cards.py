"""The GPUs of this machine, as the driver's own program describes them; no package is needed."""

import subprocess
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
