"""Where the time of a training step goes: vision tower, 4-bit weights, LoRA, and the CPU alone."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function

from kit.methods.loss import loss_of
from kit.methods.registry import build as build_method
from kit.model import determinism
from kit.model.determinism import backward, with_fallback
from tests.bench.minutes.models import synchronise
from tests.bench.minutes.training import adapted, restore, step_of

# Backward runs in a thread of its own, which these ranges do not see.
PARTS = ("vision", "lora forward", "forward")
FOUR_BIT = "bitsandbytes::"  # its operators, forward and backward; one may hold another
LARGEST = 20  # kernels
RECORDS = {"full": 4, "tiny": 2}


def run(notes: Any, scale: str) -> None:
    """Profile one micro-batch of gradient difference with LoRA in float32, then in bfloat16."""
    determinism.enable()
    model = adapted(notes, "llava", scale)
    _mark(model)
    for dtype in (torch.float32, torch.bfloat16):
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.to(dtype)
        notes.attempt(str(dtype).removeprefix("torch."), lambda: _profiled(model, scale))
    restore(model)


def _profiled(model: Any, scale: str) -> dict[str, Any]:
    method = build_method("grad_diff", {})
    step = step_of(model, method, scale, 0, RECORDS[scale])

    def once() -> None:
        with record_function("forward"):
            loss = loss_of(method, step)
        backward(loss)
        for parameter in model.parameters():
            parameter.grad = None
        synchronise()

    with_fallback(once)
    started = time.monotonic()
    once()
    wall = time.monotonic() - started
    kinds = [ProfilerActivity.CPU]
    if torch.cuda.is_available():
        kinds.append(ProfilerActivity.CUDA)
    with profile(activities=kinds) as recorded:
        once()
    rows = list(recorded.key_averages())
    # Each kernel once: ranges and operators hold the time of the kernels that they start.
    kernels = [row for row in rows if _is_kernel(row)]
    # A range has a row of the CPU, with the kernels that it started, and one of the card.
    parts = {
        row.key: round(_seconds(row, "total"), 4)
        for row in rows
        if (row.key in PARTS or row.key.startswith(FOUR_BIT)) and "CPU" in str(row.device_type)
    }
    largest = sorted(kernels, key=lambda row: -_seconds(row, "self"))[:LARGEST]
    busy = sum(_seconds(row, "self") for row in kernels)
    if not busy:
        raise RuntimeError(f"the profiler saw no kernel; the step took {wall:.3f} s")
    return {
        "wall_s": round(wall, 4),
        "kernels_s": round(busy, 4),
        "card_idle_share": round(1 - busy / wall, 3) if torch.cuda.is_available() else None,
        "parts_s": parts,
        "parts_measured_on": "card" if torch.cuda.is_available() else "cpu",
        "kernels": [
            {"name": row.key[:100], "calls": row.count, "seconds": round(_seconds(row, "self"), 5)}
            for row in largest
        ],
    }


def _is_kernel(row: Any) -> bool:
    if not torch.cuda.is_available():
        return row.key.startswith("aten::")
    return "CUDA" in str(row.device_type) and row.key not in PARTS


def _seconds(row: Any, kind: str) -> float:
    """Return the time of a row on the card, else on the CPU; its name depends on the version."""
    prefix = "self_" if kind == "self" else ""
    names = ("device", "cuda") if torch.cuda.is_available() else ("cpu",)
    for name in names:
        value = getattr(row, f"{prefix}{name}_time_total", None)
        if value is not None:
            return float(value) / 1e6  # microseconds
    return 0.0


def _mark(model: Any) -> None:
    """Give the vision tower and LoRA's layers names in a profile."""
    for name, module in model.named_modules():
        if name.endswith((".vision_tower", ".visual")):
            _as_range(module, "vision")
        elif name.endswith((".lora_A.trained", ".lora_B.trained")):
            _as_range(module, "lora forward")


def _as_range(module: torch.nn.Module, name: str) -> None:
    forward: Callable[..., Any] = module.forward

    def marked(*arguments: Any, **options: Any) -> Any:
        with record_function(name):
            return forward(*arguments, **options)

    module.forward = marked
