"""LLaVA 1.5 7B in 4 bits: generating answers with transformers, and scoring records."""

import time
from typing import Any

import torch

from kit.model import determinism
from kit.model.batches import Prompts
from kit.model.likelihood import continuation_logprob, read_prompts
from tests.bench.minutes.models import make_batch, synchronise
from tests.bench.minutes.training import LENGTH, adapted

ANSWERS, SCORED = 8, 32
NEW_TOKENS = {"full": 128, "tiny": 8}


def run(notes: Any, scale: str) -> None:
    """Generate and score."""
    determinism.enable()
    model = adapted(notes, "llava", scale)
    notes.attempt("generate", lambda: _generated(model, scale))
    for at_once in (8, SCORED):
        notes.attempt(f"score, {at_once} at once", lambda n=at_once: _scored(model, scale, n))


def _generated(model: Any, scale: str) -> dict[str, Any]:
    batch = make_batch(model.get_base_model().config, [(LENGTH[0], 0)] * ANSWERS, scale)
    new = NEW_TOKENS[scale]
    synchronise()
    started = time.monotonic()
    with torch.no_grad():
        said = model.generate(
            **batch.inputs, max_new_tokens=new, min_new_tokens=new, do_sample=False
        )
    synchronise()
    seconds = time.monotonic() - started
    made = said.shape[1] - batch.inputs["input_ids"].shape[1]
    return {
        "answers": ANSWERS,
        "tokens_of_each": made,
        "seconds": round(seconds, 3),
        "tokens_per_second": round(ANSWERS * made / seconds, 1),
        "as_expected": made == new,
    }


def _scored(model: Any, scale: str, at_once: int) -> dict[str, Any]:
    """Score records as the kit scores likelihoods: each prompt is read once, then its answer."""
    config = model.get_base_model().config
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    synchronise()
    started, values = time.monotonic(), []
    with torch.no_grad():
        for start in range(0, SCORED, at_once):
            asked = make_batch(config, [(LENGTH[0], 0)] * at_once, scale, seed=start)
            said = make_batch(config, [LENGTH] * at_once, scale, seed=start + 1)
            prompted = read_prompts(model, Prompts(asked.record_ids, asked.inputs))
            mask = said.answer_mask.long()
            values.append(continuation_logprob(model, prompted, said.answer_ids, mask))
    synchronise()
    seconds = time.monotonic() - started
    scores = torch.cat(values)
    return {
        "records": len(scores),
        "seconds": round(seconds, 3),
        "peak_memory_bytes": torch.cuda.max_memory_allocated()
        if torch.cuda.is_available()
        else None,
        "as_expected": bool(torch.isfinite(scores).all() and (scores < 0).all()),
    }
