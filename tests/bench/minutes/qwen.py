"""Qwen2.5-VL 7B: the vision tower on one large image, and a pair of records with recomputation."""

import time
from functools import partial
from typing import Any

import torch

from kit.model import determinism
from tests.bench.minutes.models import device, make_batch, synchronise
from tests.bench.minutes.training import LENGTH, adapted, measured

REPEATS = 3


def run(notes: Any, scale: str) -> None:
    """Note the cost of the tower, and of single and paired records, recomputed and not."""
    determinism.enable()
    model = adapted(notes, "qwen2_5_vl", scale)
    notes.attempt("vision", lambda: _vision(model, scale))
    for method in ("grad_diff", "dpo"):
        work = partial(measured, model, method, scale, size=1, batch=2, recompute="always")
        notes.attempt(f"{method}, 1 at once, recomputed", work)
    for method in ("grad_ascent", "grad_diff"):
        work = partial(measured, model, method, scale, size=1, batch=2)
        notes.attempt(f"{method}, 1 at once", work)


def _vision(model: Any, scale: str) -> dict[str, Any]:
    base = model.get_base_model()
    batch = make_batch(base.config, [LENGTH], scale)
    pixels, grid = batch.inputs["pixel_values"], batch.inputs["image_grid_thw"]
    tower = base.model.visual
    pixels = pixels.to(torch.bfloat16)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    with torch.no_grad():
        tower(pixels, grid_thw=grid)
        synchronise()
        started = time.monotonic()
        for _ in range(REPEATS):
            tower(pixels, grid_thw=grid)
        synchronise()
    return {
        "seconds_per_image": round((time.monotonic() - started) / REPEATS, 4),
        "patches": len(pixels),
        "tokens_of_a_record": int(batch.inputs["attention_mask"].sum()),
        "peak_memory_bytes": torch.cuda.max_memory_allocated() if device().type == "cuda" else None,
    }
