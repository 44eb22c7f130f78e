"""What this machine has: packages that import, the card, its driver and its attention kernels."""

import importlib
import os
import platform
import sys
import time
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from kit.gpus import gpus
from tests.bench.minutes.notes import Notes

LIBRARIES = ("numpy", "torch", "transformers", "peft", "accelerate", "bitsandbytes")
OF_THE_KIT = ("kit.model.base", "kit.model.lora", "kit.training.loop", "tests.bench.random_models")


def run(notes: Notes, scale: str) -> None:
    """Note versions, import times and the card."""
    notes.note("python", sys.version.split()[0])
    notes.note("platform", f"{platform.platform()}, {os.cpu_count()} processors")
    notes.attempt("nvidia-smi", lambda: [asdict(card) for card in gpus()])
    for name in (*LIBRARIES, *OF_THE_KIT):
        notes.attempt(f"import {name}", lambda name=name: _imported(name))
    notes.attempt("card", _card)
    notes.attempt("4 bits", _quantises)


def _imported(name: str) -> dict[str, Any]:
    started = time.monotonic()
    importlib.import_module(name)
    seconds = round(time.monotonic() - started, 2)
    return {"seconds": seconds} if "." in name else {"version": version(name), "seconds": seconds}


def _card() -> dict[str, Any]:
    import torch

    if not torch.cuda.is_available():
        return {"cuda": False, "built_for": torch.version.cuda}
    free, total = torch.cuda.mem_get_info()
    return {
        "cuda": True,
        "name": torch.cuda.get_device_name(),
        "capability": ".".join(map(str, torch.cuda.get_device_capability())),
        "built_for": torch.version.cuda,
        "free_bytes": free,
        "total_bytes": total,
        "bfloat16": torch.cuda.is_bf16_supported(),
        "attention": {
            name: getattr(torch.backends.cuda, f"{name}_sdp_enabled")()
            for name in ("flash", "mem_efficient", "math", "cudnn")
            if hasattr(torch.backends.cuda, f"{name}_sdp_enabled")
        },
    }


def _quantises() -> dict[str, Any]:
    """Quantise a matrix on the card and back: does bitsandbytes have kernels for it?"""
    import torch
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    device = "cuda" if torch.cuda.is_available() else "cpu"
    matrix = torch.randn(256, 256, device=device, dtype=torch.bfloat16)
    packed, state = quantize_4bit(matrix, quant_type="nf4", compress_statistics=True)
    error = (dequantize_4bit(packed, state).float() - matrix.float()).abs().mean()
    return {"mean_error": round(float(error), 4), "as_expected": bool(0.01 < error < 0.2)}
