"""How a vLLM engine is opened on this device, and what a result says of it."""

import os
from pathlib import Path
from typing import Any

from kit.artifacts import cache_root
from kit.errors import EnvironmentFault
from kit.experiment.manifest import Manifest

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # the maximum ranks that vLLM accepts
MOST = 0.9  # of a GPU's memory
FREE = 0.95  # of what is free there: other programs grow
INVARIANT = (8, 0)  # compute capability; vLLM 0.32, "Batch invariance", hardware requirements
DESCRIBED = ("dtype", "enforce_eager", "max_model_len", "max_num_seqs", "gpu_memory_utilization")


def set_environment(manifest: Manifest) -> None:
    """Set what vLLM reads from the environment; before its first import in this process.

    Raises:
        EnvironmentFault: the manifest asks for batch invariance and the device has none.
    """
    import torch

    os.environ.setdefault("VLLM_CACHE_ROOT", str(cache_root() / "vllm"))
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
    # One process: its seed and its scheduling are then those of this run alone.
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    os.environ["HF_HUB_OFFLINE"] = "1"
    # Only the manifest decides it: what is in the environment would not be in the digest.
    os.environ["VLLM_BATCH_INVARIANT"] = "1" if manifest.evaluation.batch_invariant else "0"
    if torch.cuda.is_available():
        capability = torch.cuda.get_device_capability()
    else:
        capability = (0, 0)
        # vLLM has torch compile one function, which counts; that would need a C++ compiler.
        os.environ["TORCHDYNAMO_DISABLE"] = "1"
    if manifest.evaluation.batch_invariant and capability < INVARIANT:
        raise EnvironmentFault(
            "evaluation.batch_invariant: vLLM cannot do it on this device",
            expected="a GPU of compute capability 8.0 or more",
            found=".".join(map(str, capability)) if capability[0] else "no GPU",
            remedy="set evaluation.batch_invariant = false",
        )


def arguments(manifest: Manifest, base: Path, ranks: list[int]) -> dict[str, Any]:
    """Return the arguments of `vllm.LLM`.

    Args:
        ranks: of the adapters that are served in one batch; none where weights are merged.
    """
    import torch

    section = manifest.evaluation
    chosen: dict[str, Any] = {
        "model": str(base),
        "dtype": manifest.model.compute_dtype,
        "enforce_eager": not torch.cuda.is_available(),
        "max_model_len": section.max_model_len,
        "max_num_seqs": section.max_sequences,
        "seed": 0,
        "limit_mm_per_prompt": {"image": 1, "video": 0},
        "disable_log_stats": True,
        "use_tqdm_on_load": False,
    }
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        chosen["gpu_memory_utilization"] = utilization(free, total)
    if ranks:
        chosen["enable_lora"] = True
        chosen["max_loras"] = min(section.max_adapters, len(ranks))
        chosen["max_lora_rank"] = min(size for size in RANKS if size >= max(ranks))
    return chosen


def utilization(free: int, total: int) -> float:
    """Return the share of a GPU's memory that vLLM may plan with, of bytes free and in all."""
    return round(min(MOST, FREE * free / total), 2)


def opened(chosen: dict[str, Any]) -> Any:
    """Return the engine.

    Raises:
        EnvironmentFault: weights and keys and values of one sequence do not fit.
    """
    from vllm import LLM

    try:
        return LLM(**chosen)
    except (ValueError, RuntimeError) as error:
        if "memory" not in str(error).lower():
            raise
        raise EnvironmentFault(
            "the engine does not fit into the GPU's memory",
            expected=f"room for the weights, {chosen['max_num_seqs']} sequences under way and "
            f"{chosen.get('max_loras', 0)} adapters",
            found=str(error).splitlines()[0][:300],
            remedy="lower evaluation.max_model_len, max_sequences or max_adapters, or use a GPU "
            "with more memory",
        ) from None


def described(manifest: Manifest, chosen: dict[str, Any]) -> dict[str, Any]:
    """Return what a result says of its engine, as JSON."""
    import torch
    import vllm

    return {
        "engine": "vllm",
        "version": vllm.__version__,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "serving": manifest.evaluation.serving,
        "batch_invariant": manifest.evaluation.batch_invariant,
        **{name: chosen[name] for name in DESCRIBED if name in chosen},
    }
