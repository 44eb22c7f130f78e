"""How much of a machine a manifest needs. The numbers for a GPU are estimates, not measurements.

Main memory is that of the stage which takes most of it (`host_memory`). A stage has processes side
by side, as many as `compute.workers`, and each holds what the kit and its libraries take, and its
own copies of the base's weights. What is mapped of the weights' files is not counted: all processes
share it, and the system drops it where memory is short.
"""

from dataclasses import dataclass

from kit.experiment.manifest import Manifest

# The bytes of a 7-billion-parameter base in bfloat16, where the weights are not on this disk yet.
SEVEN_BILLION = 14_100_000_000
SERVING = 1.3  # times the weights: vLLM's own allocations beside them
CACHE_AND_ADAPTERS = 4_000_000_000  # keys and values of the sequences under way, LoRA adapters
# float32 LoRA on all linear layers of Llama 7B: 32 layers of 4 x (4096 + 4096) and 3 x (4096 +
# 11008) values for each rank.
ADAPTER_OF_RANK_1 = 10_000_000
MEBIBYTE = 1 << 20

# Bytes that processes hold beside next to no weights (7 MB), each at its peak in the small
# experiment: `Pss` in /proc/PID/smaps_rollup during `./run.sh all` with two workers.
PARENT = 420_000_000
WORKER = 760_000_000  # one that trains, scores or writes the served base
ENGINE = 2_300_000_000  # 1 GiB of it for keys and values (VLLM_CPU_KVCACHE_SPACE)
SPARE = 1.2  # times these: the small experiment has always been given 6 GB, and takes 5.0
# Copies of the base's weights in a process's own memory, by `./run.sh bench memory` on a CPU: the
# largest of several calls. Loading differs most (0.4 to 3.3), because how many tensors wait in full
# precision for being quantised is chance.
LOADING = 3.3
WRITING = 3.0  # the dequantised weights, the model that they are put into, and what loading left
ANSWERING = 3.2  # merged: the engine's, the served base's, and those that an adapter changes
# By reading the code, not by measuring: an engine that merges nothing has its own alone, and on a
# GPU one copy less is in main memory (the 4-bit weights and the engine's own lie on the card), but
# each tensor passes through it.
ANSWERING_WITH_ADAPTERS = 1.0
LOADING_TO_A_GPU = 1.0
ON_THE_CARD = 1.0
# Encoded prompts that a worker keeps, at most. Equals `kit.model.batches.ROOM`, which needs torch.
PROMPTS = 1_000_000_000


@dataclass(frozen=True)
class Needs:
    """In bytes; the defaults are the small experiments' with two workers (5.0 GB were measured)."""

    gpu: bool = False
    gpu_memory: int = 0
    memory: int = 6_000_000_000
    disk: int = 1_000_000_000
    # A container has 64 MiB of shared memory unless told otherwise: enough without a GPU.
    shared_memory: int = 32 * MEBIBYTE
    processes: int = 256


def needs_of(manifest: Manifest) -> Needs:
    """Return what a manifest needs: those that compute in bfloat16 are for a GPU."""
    if manifest.model.compute_dtype != "bfloat16":
        return Needs(memory=host_memory(manifest, _weights(manifest), gpu=False))
    weights = _weights(manifest) or SEVEN_BILLION
    return Needs(
        gpu=True,
        gpu_memory=int(weights * SERVING) + CACHE_AND_ADAPTERS,
        memory=host_memory(manifest, weights, gpu=True),
        disk=3 * weights + adapters(manifest),  # as published, dequantised, and images
        shared_memory=1024 * MEBIBYTE,
        processes=1024,
    )


def host_memory(manifest: Manifest, weights: int, *, gpu: bool) -> int:
    """Return the bytes of main memory that the largest stage takes, all processes together.

    Args:
        weights: bytes of the base's weights as published.
        gpu: whether there is a card that they are computed on.
    """
    workers = manifest.compute.workers
    there = ON_THE_CARD if gpu else 0.0
    loading = LOADING_TO_A_GPU if gpu else LOADING
    # As kit.stages.run deals them out: every worker serves merged weights one system at a time.
    if manifest.evaluation.serving == "merged":
        engines, answering = workers, ANSWERING - there
    else:
        engines, answering = 1, ANSWERING_WITH_ADAPTERS
    stages = (
        workers * (SPARE * WORKER + PROMPTS + loading * weights),  # finetune, unlearn, scoring
        SPARE * WORKER + (WRITING - there) * weights,  # the served base, once
        engines * (SPARE * ENGINE + answering * weights),
    )
    return int(SPARE * PARENT + max(stages))


def adapters(manifest: Manifest) -> int:
    """Return the bytes of all adapters, in the cache and in the result."""
    trained = sum(len(entry.targets) for entry in manifest.methods) * len(manifest.seeds)
    ranks = trained * manifest.unlearn.rank + (1 + len(manifest.targets)) * manifest.finetune.rank
    return ranks * ADAPTER_OF_RANK_1 * (2 if manifest.report.adapters == "all" else 1)


def _weights(manifest: Manifest) -> int:
    from kit.sources.datasets import base_folder

    return sum(path.stat().st_size for path in base_folder(manifest).glob("*.safetensors"))
