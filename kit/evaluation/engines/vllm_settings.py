"""Settings of a vLLM engine on this device, and what a result states about them."""

import os
from pathlib import Path
from typing import Any

from kit.artifacts import cache_root
from kit.console import waiting
from kit.errors import EnvironmentFault, GuardError
from kit.experiment.manifest import Manifest
from kit.gpus import gpus

VLLM_LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # what vLLM accepts as max_lora_rank
MAX_GPU_SHARE = 0.9  # of all of a GPU's memory
FREE_SHARE = 0.95  # of a GPU's free memory: other programs may grow
SECOND_SHARES = {"nf4": 0.45, "none": 1.0}  # of the served weights: the base of the second look
SECOND_WORK_BYTES = 2_000_000_000  # its activations for a few answers
ENGINE_WORK_BYTES = 6_000_000_000  # adapters, activations, graphs, and keys and values of an engine
# Settings of vLLM that could change a logit, each with the value that changes none.
PLAIN: dict[str, object] = {
    "temperature": 0.0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "min_p": 0.0,
    "min_tokens": 0,
    "logit_bias": None,
    "allowed_token_ids": None,
    "bad_words": [],
    "structured_outputs": None,
}
# Compute capability; from vLLM 0.32, "Batch invariance", hardware requirements.
BATCH_INVARIANT_CAPABILITY = (8, 0)
RECORDED_ARGUMENTS = (
    "dtype",
    "enforce_eager",
    "max_model_len",
    "max_num_seqs",
    "gpu_memory_utilization",
    "tensor_parallel_size",
)


def set_environment(manifest: Manifest) -> None:
    """Set the variables that vLLM reads. Call it before this process first imports vLLM.

    Raises:
        EnvironmentFault: the manifest asks for batch invariance, which the device lacks.
    """
    import torch

    os.environ.setdefault("VLLM_CACHE_ROOT", str(cache_root() / "vllm"))
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
    # Greedy decoding draws no sample. FlashInfer's sampler would be compiled at every first start.
    os.environ["VLLM_USE_FLASHINFER_SAMPLER"] = "0"
    os.environ["HF_HUB_OFFLINE"] = "1"
    # Only the manifest decides: the digest does not cover the user's environment.
    os.environ["VLLM_BATCH_INVARIANT"] = "1" if manifest.evaluation.batch_invariant else "0"
    on_gpu = torch.cuda.is_available()
    # On a GPU, images are prepared while the engine computes in a process of its own. On a CPU both
    # would share the cores. Merged weights are handed over within one process.
    apart = on_gpu and manifest.evaluation.serving == "adapters"
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "1" if apart else "0"
    if on_gpu:
        capability = torch.cuda.get_device_capability()
    else:
        capability = (0, 0)
        # vLLM compiles one counting function with torch, which would need a C++ compiler.
        os.environ["TORCHDYNAMO_DISABLE"] = "1"
    if manifest.evaluation.batch_invariant and capability < BATCH_INVARIANT_CAPABILITY:
        raise EnvironmentFault(
            "evaluation.batch_invariant: vLLM does not support it on this device",
            expected="a GPU of compute capability 8.0 or higher",
            found=".".join(map(str, capability)) if capability[0] else "no GPU",
            remedy="set evaluation.batch_invariant = false",
        )


def engine_arguments(
    manifest: Manifest, base: Path, ranks: list[int], room: int = 0
) -> dict[str, Any]:
    """Return the arguments of `vllm.LLM`.

    Args:
        ranks: of the adapters that are served in one batch; empty if weights are merged.
        room: bytes of a GPU's memory that the engine leaves free.
    """
    import torch

    section = manifest.evaluation
    arguments: dict[str, Any] = {
        "model": str(base),
        "generation_config": "vllm",  # no published setting of sampling counts
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
        arguments["gpu_memory_utilization"] = utilization(free - room, total)
        # vLLM takes these kernels on some cards (B200) if it can download them: with a network, the
        # numbers would be other ones than without. They are in no package of vLLM's FlashInfer.
        arguments["attention_config"] = {"use_trtllm_attention": False}
    if section.tensor_parallel_size > 1:
        arguments["tensor_parallel_size"] = section.tensor_parallel_size
    if ranks:
        arguments["enable_lora"] = True
        arguments["max_loras"] = min(section.max_adapters, len(ranks))
        arguments["max_lora_rank"] = min(size for size in VLLM_LORA_RANKS if size >= max(ranks))
    return arguments


def utilization(free: int, total: int) -> float:
    """Return the share of a GPU's memory that vLLM may use, from its free and total bytes."""
    return round(min(MAX_GPU_SHARE, FREE_SHARE * free / total), 2)


def room_to_leave(base: Path, quantization: str, updates: int = 0) -> int | None:
    """Return the bytes that a second base needs beside the engine; None if there is no room.

    On a CPU, where memory is not planned, it is 0. The shares are estimates: NF4 weights with the
    unquantised parts take 0.32 (LLaVA 1.5 7B) to 0.42 (Qwen2.5-VL 7B) of the served ones.

    Args:
        base: folder of the served weights.
        quantization: of the second base, as `model.quantization` says.
        updates: bytes of the full updates that are computed beside it, at most.
    """
    import torch

    if not torch.cuda.is_available():
        return 0
    weights = sum(path.stat().st_size for path in base.glob("*.safetensors"))
    room = int(SECOND_SHARES[quantization] * weights) + SECOND_WORK_BYTES + updates
    free, _ = torch.cuda.mem_get_info()
    return room if free - room > weights + ENGINE_WORK_BYTES else None


def require_plain(settings: Any) -> None:
    """Check that sampling settings of vLLM change no logit.

    Raises:
        GuardError: a penalty, a bias or a constraint is on.
    """
    changed = {
        name: getattr(settings, name)
        for name, neutral in PLAIN.items()
        if getattr(settings, name, neutral) not in (neutral, None)
    }
    if changed:
        raise GuardError(
            "the engine's settings change the decoding",
            expected="greedy decoding of the model's own logits",
            found=", ".join(f"{name} = {value}" for name, value in changed.items()),
            remedy="report the version of vLLM: its defaults are no longer neutral",
        )


def open_engine(arguments: dict[str, Any]) -> Any:
    """Return the engine, a `vllm.LLM`.

    Raises:
        EnvironmentFault: memory does not hold the weights and one sequence.
    """
    from vllm import LLM

    try:
        with waiting("the engine is starting"):
            return LLM(**arguments)
    except (ValueError, RuntimeError) as error:
        if "memory" not in str(error).lower():
            raise
        place = "the GPU's memory" if gpus() else "the memory that is free on this machine"
        more = "use a GPU with more memory" if gpus() else "stop other programs that use memory"
        raise EnvironmentFault(
            f"the engine does not fit into {place}",
            expected=f"memory for the weights, {arguments['max_num_seqs']} sequences at a time and "
            f"{arguments.get('max_loras', 0)} adapters",
            found=str(error).splitlines()[0][:300],
            remedy=f"{more}, or lower evaluation.max_model_len, max_sequences or max_adapters",
        ) from None


def describe_engine(manifest: Manifest, arguments: dict[str, Any]) -> dict[str, object]:
    """Return what a result states about its engine, as JSON."""
    import torch
    import vllm

    return {
        "engine": "vllm",
        "version": vllm.__version__,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "serving": manifest.evaluation.serving,
        "batch_invariant": manifest.evaluation.batch_invariant,
        **{name: arguments[name] for name in RECORDED_ARGUMENTS if name in arguments},
    }
