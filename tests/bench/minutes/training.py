"""Seconds and memory of a training step of every kind of method, by the kit's own loop."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch

from kit.experiment.manifest import TrainingSection
from kit.methods import Step
from kit.methods.registry import build as build_method
from kit.model import determinism
from kit.model.batches import Batch
from kit.model.lora import without
from kit.training.loop import train
from tests.bench.minutes.models import RANK, TRAINED, build, make_batch, synchronise, with_adapters

STEPS = 3  # the first is not timed
BATCH = 8
SIZES = {"full": (4, 8, 2, 1), "tiny": (8, 2)}  # micro-batches, the likeliest first
METHODS = ("grad_ascent", "grad_diff", "dpo", "kl_min")
# Tokens of question and answer beside the 576 of LLaVA's image: 650 in all, as in the estimates.
LENGTH = (50, 24)
UNIFORM = -10.0  # a log-probability for references, which are measured once and not in a step


def run(notes: Any, scale: str) -> None:
    """LLaVA 1.5 7B: every kind of method at every size, then a balanced method on 16 records."""
    determinism.enable()
    model = adapted(notes, "llava", scale)
    for size in SIZES[scale]:
        for method in METHODS:
            work = partial(measured, model, method, scale, size=size)
            notes.attempt(f"{method}, {size} at once", work)
    whole = partial(measured, model, "balanced_grad_diff", scale, size=16, batch=16)
    notes.attempt("balanced_grad_diff, 16 at once", whole)
    parts = partial(measured, model, "balanced_grad_diff", scale, size=4, batch=16)
    notes.attempt("balanced_grad_diff, 4 at once", parts)


def run_bfloat16(notes: Any, scale: str) -> None:
    """LLaVA 1.5 7B with LoRA in bfloat16 beside float32."""
    determinism.enable()
    model = adapted(notes, "llava", scale)
    for dtype in ("bfloat16", "float32"):
        for method, size in (("grad_diff", 4), ("dpo", 2), ("grad_ascent", 8)):
            work = partial(measured, model, method, scale, size=size, lora_dtype=dtype)
            notes.attempt(f"{method}, {size} at once, LoRA in {dtype}", work)


def adapted(notes: Any, family: str, scale: str) -> Any:
    """Return a random model with its adapters; note what it consists of and what it takes."""
    started = time.monotonic()
    model, described = build(family, scale)
    notes.note("model", {**described, "seconds": round(time.monotonic() - started, 1)})
    return with_adapters(model)


def measured(
    model: Any,
    method: str,
    scale: str,
    *,
    size: int,
    batch: int = BATCH,
    recompute: str = "never",
    lora_dtype: str = "float32",
) -> dict[str, Any]:
    """Train a few steps and return their cost.

    Args:
        size: records of a micro-batch.
        batch: records of a step.
        recompute: `gradient_checkpointing` of the manifest.
    """
    settings = TrainingSection(
        steps=STEPS, batch_size=batch, micro_batch_size=size, learning_rate=1e-5, warmup_steps=1,
        rank=RANK, alpha=RANK, gradient_clip=1.0, gradient_checkpointing=recompute,
        lora_dtype=lora_dtype,
    )  # fmt: skip
    chosen = build_method(method, {})
    began: dict[int, float] = {}
    smallest = size
    made = cache(partial(step_of, model, chosen, scale))  # making random images is not timed

    def steps(number: int, count: int) -> Iterator[Step]:
        nonlocal smallest
        smallest = min(smallest, count)
        parts = [made(start, count) for start in range(0, batch, count)]
        synchronise()
        began[number] = time.monotonic()
        yield from (replace(part) for part in parts)

    try:
        with tempfile.TemporaryDirectory() as folder, determinism.record_nondeterminism() as odd:
            done = train(model, chosen, settings, steps, Path(folder), name=method)
            losses = (Path(folder) / "losses.jsonl").read_text().splitlines()
        synchronise()
        ended = time.monotonic()
    finally:
        restore(model)
    return {
        "seconds_per_step": round((ended - began[1]) / (STEPS - 1), 3),
        "records_per_step": batch,
        "peak_memory_bytes": done.peak_memory_bytes,
        "micro_batch_size": smallest,  # less than asked where memory did not suffice
        "gradient_checkpointing": done.gradient_checkpointing,
        "nondeterministic": sorted(odd),
        "last": losses[-1],
    }


def step_of(model: Any, method: Any, scale: str, start: int, count: int) -> Step:
    """Return `count` records from number `start`, with everything that the method needs."""
    config = model.get_base_model().config

    def batch(kind: int) -> Batch:
        return make_batch(config, [LENGTH] * count, scale, seed=1000 * kind + start)

    forget, needs = batch(0), method.needs
    like = torch.full((count,), UNIFORM, device=forget.answer_ids.device)
    is_person = [float(number % 2) for number in range(start, start + count)]
    prepared = {
        "forget": forget,
        **({"retain": batch(1)} if needs.retain else {}),
        **({"refusal": batch(2), "refusal_reference": like} if needs.refusals else {}),
        "forget_reference": like,
        "forget_is_person": torch.tensor(is_person, device=like.device),
    }
    return Step(model, partial(without, model, TRAINED), needs, prepared)


def restore(model: Any) -> None:
    """Undo what a run that failed leaves behind: recomputation, gradients, weights in bfloat16."""
    model.gradient_checkpointing_disable()
    model.eval()
    for parameter in model.parameters():
        parameter.grad = None
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
