"""Python, memory, processes, shared memory and GPU, compared with what a manifest needs."""

from collections.abc import Iterator

from kit.doctor.check import Check
from kit.doctor.readings import Readings
from kit.doctor.resources import Resources
from kit.gpus import Gpu

# CUDA major version -> oldest driver that runs every release of it (CUDA's release notes).
MIN_DRIVER = {13: 580, 12: 525}
MIN_COMPUTE_CAPABILITY = (8, 0)  # bfloat16 in hardware: Ampere and newer
GPU_REMEDY = (
    "start with ./run.sh --runner, or give the container its GPU: docker run --gpus all, "
    "podman run --device nvidia.com/gpu=all, apptainer run --nv"
)
LOCKED_PYTHON = {"cpu": ("3.11", "3.12", "3.13"), "gpu": ("3.12",)}


def examine_machine(found: Readings, needed: Resources) -> Iterator[Check]:
    """Yield the checks of the machine itself."""
    locked = LOCKED_PYTHON[found.target]
    yield Check.judge(
        "python",
        found.python,
        wrong=found.python.rpartition(".")[0] not in locked,
        remedy=f"the locked environment is for Python {' or '.join(locked)}: start with ./run.sh",
    )
    yield _memory(found, needed)
    yield Check("cores", str(found.cores))
    if found.process_limit is not None:
        yield Check.judge(
            "process limit",
            str(found.process_limit),
            wrong=found.process_limit < needed.processes,
            remedy=f"allow {needed.processes} (docker and podman: --pids-limit {needed.processes})",
        )
    if found.shared_memory is not None:
        yield Check.judge(
            "shared memory",
            f"{found.shared_memory >> 20} MiB in /dev/shm",
            wrong=found.shared_memory < needed.shared_memory,
            remedy=f"start the container with --shm-size {needed.shared_memory >> 20}m",
        )
    if not found.in_image:
        yield Check("container runtimes", ", ".join(found.runtimes) or "none (not needed)")
    yield from _gpu(found, needed)


def _memory(found: Readings, needed: Resources) -> Check:
    limited = found.memory_limit is not None and found.memory_limit < found.memory
    usable = found.memory_limit if limited and found.memory_limit else found.memory
    wanted = f"{needed.memory / 1e9:.0f} GB"
    return Check.judge(
        "memory",
        f"{usable / 1e9:.0f} GB{' (a limit of this container)' if limited else ''}",
        wrong=usable < needed.memory,
        remedy=f"allow {wanted} (--memory), or lower compute.workers in the manifest"
        if limited
        else f"{wanted} are needed: lower compute.workers in the manifest",
    )


def _gpu(found: Readings, needed: Resources) -> Iterator[Check]:
    if not found.gpus:
        yield _no_gpu(found, needed)
        return
    # A job runs on one GPU, or on several alike; the one with the most memory decides.
    best = max(found.gpus, key=lambda gpu: gpu.memory)
    others = f", and {len(found.gpus) - 1} more" if len(found.gpus) > 1 else ""
    yield Check("gpu", f"{best.name}{others}")
    if found.cuda:
        yield _driver(best, found.cuda)
    if needed.gpu:
        yield Check.judge(
            "torch on the gpu",
            f"CUDA {found.cuda}" if found.cuda else "this environment's torch is the CPU build",
            wrong=not found.cuda,
            remedy="use the gpu image: ./run.sh --runner docker (or podman, apptainer)",
        )
        yield Check.judge(
            "compute capability",
            best.capability,
            wrong=_numbers(best.capability) < MIN_COMPUTE_CAPABILITY,
            remedy="bfloat16 needs 8.0: use an Ampere GPU or a newer one",
        )
        if needed.gpus > 1:
            yield Check.judge(
                "gpus",
                f"{len(found.gpus)}; {needed.gpus} share the base",
                wrong=len(found.gpus) < needed.gpus,
                remedy="use a machine with more GPUs, or lower compute.shards and "
                "evaluation.tensor_parallel_size: `./run.sh plan` says how many the base needs",
            )
        yield Check.judge(
            "gpu memory",
            f"{best.memory / 1e9:.1f} GB; " + _needs(needed),
            wrong=best.memory < needed.gpu_memory,
            remedy=_memory_remedy(best, needed),
        )


def _needs(needed: Resources) -> str:
    each = ", ".join(f"{what} {size / 1e9:.1f}" for what, size in needed.gpu_needs.items())
    return f"estimated needs: {each or f'{needed.gpu_memory / 1e9:.1f}'} GB"


def _memory_remedy(gpu: Gpu, needed: Resources) -> str:
    """Return what needs how much, and what makes it fit."""
    short = {what: size for what, size in needed.gpu_needs.items() if size > gpu.memory}
    asked = " and ".join(f"{size / 1e9:.1f} GB for {what}" for what, size in short.items())
    asked = asked or f"{needed.gpu_memory / 1e9:.1f} GB"
    lower = "lower evaluation.max_adapters or max_model_len, or " if "answering" in short else ""
    return f"about {asked} are needed (estimated): {lower}use a larger GPU or a smaller base"


def _no_gpu(found: Readings, needed: Resources) -> Check:
    if not needed.gpu:
        return Check("gpu", "none (this manifest does not need one)")
    if found.gpu_devices:
        remedy = (
            "the device is visible, but the driver's programs are not: start the container with "
            "--env NVIDIA_DRIVER_CAPABILITIES=compute,utility"
        )
        return Check("gpu", "a device without nvidia-smi", True, remedy)
    remedy = GPU_REMEDY if found.in_image else "install an NVIDIA driver, 580 or newer"
    return Check("gpu", "none visible, and this manifest needs one", True, remedy)


def _driver(gpu: Gpu, cuda: str) -> Check:
    oldest = MIN_DRIVER.get(_numbers(cuda)[0], 0)
    return Check.judge(
        "driver",
        f"{gpu.driver}, CUDA {'.'.join(cuda.split('.')[:2])}",
        wrong=_numbers(gpu.driver)[0] < oldest,
        remedy=f"CUDA {_numbers(cuda)[0]} needs driver {oldest} or newer: update the driver",
    )


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in text.split("."))
