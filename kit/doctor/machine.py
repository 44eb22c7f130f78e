"""Python, memory, processes, shared memory and GPU, held against what a manifest needs."""

from collections.abc import Iterator

from kit.doctor.check import Check, judge
from kit.doctor.needs import Needs
from kit.doctor.readings import Gpu, Readings

# CUDA's release notes: the oldest driver that runs any release of a major version.
OLDEST_DRIVER = {13: 580, 12: 525}
CAPABILITY = (8, 0)  # bfloat16 in hardware: Ampere and newer
GIVE_A_GPU = (
    "start with ./run.sh --runner, or give the container its GPU: docker run --gpus all, "
    "podman run --device nvidia.com/gpu=all, apptainer run --nv"
)
LOCKED_PYTHON = {"cpu": "3.11", "gpu": "3.12"}


def examine_machine(found: Readings, needs: Needs) -> Iterator[Check]:
    """Yield the checks of the machine itself."""
    locked = LOCKED_PYTHON[found.target]
    yield judge(
        "python",
        found.python,
        wrong=not found.python.startswith(f"{locked}."),
        remedy=f"the locked environment is for Python {locked}: start with ./run.sh",
    )
    yield _memory(found, needs)
    yield Check("cores", str(found.cores))
    if found.process_limit is not None:
        yield judge(
            "process limit",
            str(found.process_limit),
            wrong=found.process_limit < needs.processes,
            remedy=f"allow {needs.processes} (docker and podman: --pids-limit {needs.processes})",
        )
    if found.shared_memory is not None:
        yield judge(
            "shared memory",
            f"{found.shared_memory >> 20} MiB in /dev/shm",
            wrong=found.shared_memory < needs.shared_memory,
            remedy=f"start the container with --shm-size {needs.shared_memory >> 20}m",
        )
    if not found.in_image:
        yield Check("container runtimes", ", ".join(found.runtimes) or "none (none is needed)")
    yield from _gpu(found, needs)


def _memory(found: Readings, needs: Needs) -> Check:
    limited = found.memory_limit is not None and found.memory_limit < found.memory
    usable = found.memory_limit if limited and found.memory_limit else found.memory
    wanted = f"{needs.memory / 1e9:.0f} GB"
    return judge(
        "memory",
        f"{usable / 1e9:.0f} GB{' (a limit of this container)' if limited else ''}",
        wrong=usable < needs.memory,
        remedy=f"allow {wanted} (--memory), or lower compute.workers in the manifest"
        if limited
        else f"{wanted} are needed: lower compute.workers in the manifest",
    )


def _gpu(found: Readings, needs: Needs) -> Iterator[Check]:
    if not found.gpus:
        yield _no_gpu(found, needs)
        return
    # A job runs on one card; the best one decides.
    best = max(found.gpus, key=lambda gpu: gpu.memory)
    others = f", and {len(found.gpus) - 1} more" if len(found.gpus) > 1 else ""
    yield Check("gpu", f"{best.name}{others}")
    if found.cuda:
        yield _driver(best, found.cuda)
    if needs.gpu:
        yield judge(
            "torch on the gpu",
            f"CUDA {found.cuda}" if found.cuda else "this environment's torch is for CPUs alone",
            wrong=not found.cuda,
            remedy="use the gpu image: ./run.sh --runner docker (or podman, apptainer)",
        )
        yield judge(
            "compute capability",
            best.capability,
            wrong=_numbers(best.capability) < CAPABILITY,
            remedy="bfloat16 needs 8.0: use an Ampere GPU or a newer one",
        )
        yield judge(
            "gpu memory",
            f"{best.memory / 1e9:.0f} GB",
            wrong=best.memory < needs.gpu_memory,
            remedy=f"about {needs.gpu_memory / 1e9:.0f} GB are needed (an estimate): use a larger "
            "GPU or a smaller base",
        )


def _no_gpu(found: Readings, needs: Needs) -> Check:
    if not needs.gpu:
        return Check("gpu", "none (this manifest needs none)")
    if found.gpu_devices:
        remedy = (
            "the device is here, but its driver's programs are not: start the container with "
            "--env NVIDIA_DRIVER_CAPABILITIES=compute,utility"
        )
        return Check("gpu", "a device without nvidia-smi", True, remedy)
    remedy = GIVE_A_GPU if found.in_image else "install an NVIDIA driver, 580 or newer"
    return Check("gpu", "none visible, and this manifest needs one", True, remedy)


def _driver(gpu: Gpu, cuda: str) -> Check:
    oldest = OLDEST_DRIVER.get(_numbers(cuda)[0], 0)
    return judge(
        "driver",
        f"{gpu.driver}, CUDA {'.'.join(cuda.split('.')[:2])}",
        wrong=_numbers(gpu.driver)[0] < oldest,
        remedy=f"CUDA {_numbers(cuda)[0]} needs driver {oldest} or newer: update the machine's",
    )


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in text.split("."))
