"""How much of a machine a manifest needs. The numbers for a GPU are estimates, not measurements."""

from dataclasses import dataclass

from kit.manifest import Manifest

# The bytes of a 7-billion-parameter base in bfloat16, where the weights are not on this disk yet.
SEVEN_BILLION = 14_100_000_000
SERVING = 1.3  # times the weights: vLLM's own allocations beside them
CACHE_AND_ADAPTERS = 4_000_000_000  # keys and values of the sequences under way, LoRA adapters
# float32 LoRA on all linear layers of Llama 7B: 32 layers of 4 x (4096 + 4096) and 3 x (4096 +
# 11008) values for each rank.
ADAPTER_OF_RANK_1 = 10_000_000
MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Needs:
    """In bytes; the defaults are the small experiments' (measured: 5.0 GB of memory)."""

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
        return Needs()
    weights = _weights(manifest) or SEVEN_BILLION
    return Needs(
        gpu=True,
        gpu_memory=int(weights * SERVING) + CACHE_AND_ADAPTERS,
        memory=2 * weights,  # loaded once, and once more while it is dequantised
        disk=3 * weights + adapters(manifest),  # as published, dequantised, and images
        shared_memory=1024 * MEBIBYTE,
        processes=1024,
    )


def adapters(manifest: Manifest) -> int:
    """Return the bytes of all adapters, in the cache and in the result."""
    trained = sum(len(entry.targets) for entry in manifest.methods) * len(manifest.seeds)
    ranks = trained * manifest.unlearn.rank + (1 + len(manifest.targets)) * manifest.finetune.rank
    return ranks * ADAPTER_OF_RANK_1 * (2 if manifest.report.adapters == "all" else 1)


def _weights(manifest: Manifest) -> int:
    from kit.datasets import base_folder

    return sum(path.stat().st_size for path in base_folder(manifest).glob("*.safetensors"))
