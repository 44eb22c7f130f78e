"""How much of a machine a manifest needs. The numbers for GPUs are estimates, not measurements.

Main memory is the need of the largest stage (`host_memory`). A stage runs `compute.workers`
processes at a time; each needs memory for the kit, its libraries and its own copies of the base
model's weights. Memory-mapped weight files are not counted: all processes share these pages, and
the system drops them when memory is short.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kit.experiment.cards import fewest_cards
from kit.experiment.manifest import Manifest, TrainingSection
from kit.experiment.own_settings import settings_of, trains_full
from kit.experiment.updates import FULL

# A base model of 7 billion parameters in bfloat16; assumed while the weights are not on this disk.
DEFAULT_WEIGHT_BYTES = 14_100_000_000
# Of the GPU, while nothing but the weights' size is known: an engine's weights, its own allocations
# relative to them, key-value cache and LoRA adapters.
SERVING_FACTOR = 1.3
CACHE_AND_ADAPTER_BYTES = 4_000_000_000
# float32 LoRA on all linear layers of Llama 7B: 32 layers of 4 x (4096 + 4096) and 3 x (4096 +
# 11008) values per rank.
ADAPTER_BYTES_PER_RANK = 10_000_000
MEBIBYTE = 1 << 20

# Peak memory of each kind of process with almost no weights (7 MB): `Pss` in
# /proc/PID/smaps_rollup during `./run.sh all` of the small experiment with two workers.
PARENT_BYTES = 420_000_000
WORKER_BYTES = 760_000_000  # trains, scores or writes the served base model
ENGINE_BYTES = 2_300_000_000  # 1 GiB of it is the key-value cache (VLLM_CPU_KVCACHE_SPACE)
SPARE_FACTOR = 1.2  # the small experiment took 5.0 GB and has always been given 6
# Copies of the base model's weights in the memory of one process, measured with
# `./run.sh bench memory` on a CPU: the largest of several calls. Loading varies most (0.4 to 3.3),
# because the number of tensors that wait for quantisation in full precision is random.
LOADING_COPIES = 3.3
WRITING_COPIES = 3.0  # the dequantised weights, the model they are put into, and rests of loading
MERGED_ANSWERING_COPIES = 3.2  # of the engine, of the served base, and of the merged layers
# Derived from the code, not measured: an engine that merges nothing needs one copy. On a GPU, one
# copy less is in main memory (4-bit weights and the engine's copy are on the card), but each
# tensor passes through main memory.
ADAPTER_ANSWERING_COPIES = 1.0
GPU_LOADING_COPIES = 1.0
# Derived as well, of a full update in float32: its change, gradient, AdamW's two means, one more
# while it makes its step, and the vanilla model's below. On a GPU, it passes through main memory.
FULL_TRAINING_COPIES = 6.0
FULL_PASSING_COPIES = 1.0
COPIES_ON_GPU = 1.0
# The most that a worker keeps of encoded prompts, as in kit.model.batches, which needs torch.
PROMPT_CACHE_BYTES = 1_000_000_000
# The most that an engine's prepared images take, as in kit.evaluation.engines.vllm.
IMAGE_BYTES = 2_000_000_000


@dataclass(frozen=True)
class Resources:
    """What a run needs, sizes in bytes.

    The defaults are those of the small experiments with two workers (5.0 GB were measured).
    """

    gpu: bool = False
    gpu_memory: int = 0
    gpu_needs: Mapping[str, int] = field(default_factory=dict)
    """What needs how much of the GPU's memory; `gpu_memory` is the largest of them."""
    memory: int = 6_000_000_000
    disk: int = 1_000_000_000
    # Containers have 64 MiB of shared memory by default: enough without a GPU.
    shared_memory: int = 32 * MEBIBYTE
    processes: int = 256
    gpus: int = 1
    """How many GPUs one adapter or one engine needs, on a manifest that needs any."""


def resources_of(manifest: Manifest) -> Resources:
    """Return what a manifest needs; one that computes in bfloat16 needs a GPU."""
    if manifest.model.compute_dtype != "bfloat16":
        return Resources(memory=host_memory(manifest, _weight_bytes(manifest), gpu=False))
    weights = _weight_bytes(manifest) or DEFAULT_WEIGHT_BYTES
    needs = _gpu_needs(manifest, weights)
    return Resources(
        gpu=True,
        gpu_memory=max(needs.values()),
        gpu_needs=needs,
        memory=host_memory(manifest, weights, gpu=True),
        # The weights as published and dequantised, and about as much again for images.
        disk=3 * weights + adapter_bytes(manifest),
        shared_memory=1024 * MEBIBYTE,
        processes=1024,
        gpus=fewest_cards(manifest),
    )


def host_memory(manifest: Manifest, weights: int, *, gpu: bool) -> int:
    """Return the bytes of main memory that all processes of the largest stage take together.

    Args:
        manifest: decides the number of workers and the way of serving.
        weights: bytes of the base model's weights as published.
        gpu: whether the models are computed on a GPU.
    """
    workers = manifest.compute.workers * manifest.compute.shards
    on_gpu = COPIES_ON_GPU if gpu else 0.0
    loading = GPU_LOADING_COPIES if gpu else LOADING_COPIES
    # Each of the processes that share a base loads all of it, and then keeps its part on its card.
    # As the stages do: with merged weights every worker runs an engine, for one system at a time.
    if manifest.evaluation.serving == "merged":
        engines, answering = workers, MERGED_ANSWERING_COPIES - on_gpu
    else:
        engines, answering = 1, ADAPTER_ANSWERING_COPIES
    worker = SPARE_FACTOR * WORKER_BYTES
    engine = SPARE_FACTOR * ENGINE_BYTES + (IMAGE_BYTES if gpu else 0)
    update = _update_bytes(manifest) if trains_full(manifest) else 0
    trained = (FULL_PASSING_COPIES if gpu else FULL_TRAINING_COPIES) * update
    stages = (
        # finetune, unlearn, scoring
        workers * (worker + PROMPT_CACHE_BYTES + loading * weights + trained),
        worker + (WRITING_COPIES - on_gpu) * weights,  # write the served base model
        engines * (engine + answering * weights + FULL_PASSING_COPIES * update),
    )
    return int(SPARE_FACTOR * PARENT_BYTES + max(stages))


def adapter_bytes(manifest: Manifest) -> int:
    """Return the bytes of all adapters, in the cache and in the result."""
    full = _update_bytes(manifest) if trains_full(manifest) else 0

    def bytes_of(settings: TrainingSection) -> int:
        return full if settings.update == FULL else settings.rank * ADAPTER_BYTES_PER_RANK

    trained = sum(
        len(entry.targets) * bytes_of(settings_of(manifest.unlearn, entry))
        for entry in manifest.methods
    )
    shared = (1 + len(manifest.targets)) * bytes_of(manifest.finetune)
    every = trained * len(manifest.seeds) + shared
    return every * (2 if manifest.report.adapters == "all" else 1)


def _update_bytes(manifest: Manifest) -> int:
    """Return the bytes of a full update: float32, and those of the base are often half as long."""
    from kit.plan.full_updates import update_bytes
    from kit.preflight.known import known_base

    sizes = known_base(manifest)
    return update_bytes(sizes) if sizes else 2 * (_weight_bytes(manifest) or DEFAULT_WEIGHT_BYTES)


def _gpu_needs(manifest: Manifest, weights: int) -> dict[str, int]:
    """Return the smallest GPU, in bytes, for answering and for the largest training job."""
    from kit.plan.cards import least_bytes
    from kit.preflight.known import known_sizes

    known = known_sizes(manifest)
    if known is None:
        weights //= manifest.evaluation.tensor_parallel_size
        return {"answering": int(weights * SERVING_FACTOR) + CACHE_AND_ADAPTER_BYTES}
    return least_bytes(manifest, known.sizes, known.record)


def _weight_bytes(manifest: Manifest) -> int:
    from kit.sources.datasets import base_folder

    return sum(path.stat().st_size for path in base_folder(manifest).glob("*.safetensors"))
