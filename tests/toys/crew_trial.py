"""What every method's step and every measurement gives on the embedded base, as digests.

A function of a module, so that processes which share the base find it.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from kit.methods import registry
from kit.methods.neurons import removed_by
from kit.model import base as loading
from kit.model.hidden import answer_hidden
from kit.model.likelihood import (
    answer_distribution,
    continuation_logprob,
    mean_nll,
    read_prompts,
    whole_distribution,
)
from kit.model.weight_gradients import gradient_norms
from kit.preflight.trial import RECORDS, Trial
from tests.toys.crew_job import never_dense


def digest(tensors: Iterable[Tensor]) -> str:
    """Return a digest of the bits of tensors."""
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(tensor.detach().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]


def all_found(recomputed: bool = False) -> dict[str, str]:
    """Return {method or measurement: digest of what it gives}.

    Args:
        recomputed: activations are computed a second time in the backward pass.
    """
    torch.set_num_threads(1)
    loading.keep_dense = never_dense
    with TemporaryDirectory() as folder:
        trial = Trial(Path(folder))
        found = measured(trial)
        for name in registry.names():
            if recomputed:
                trial.model.train()
                trial.model.gradient_checkpointing_enable({"use_reentrant": False})
                trial.model.get_base_model().disable_input_require_grads()
            if given := of_method(name, trial):
                found[name] = given
    return found


def of_method(name: str, trial: Trial) -> str:
    """Return a digest of a method's first step; "" where it trains nothing."""
    method = registry.build(name, {})
    if not method.needs.training:
        return ""
    parts = trial.steps(method, RECORDS)
    if method.needs.training_free:
        return str(removed_by(method, parts, trial.model))
    step = trial.step(method, parts)
    gradients = [g for g in step.gradient.values() if g is not None]
    return f"{step.loss!r} {len(gradients)} {digest(gradients)}"


def measured(trial: Trial) -> dict[str, str]:
    """Return what scoring, gradient norms, hidden states and attacks on pixels compute."""
    records = list(trial.benchmark.records.values())[:2]
    model, batch = trial.model, trial.batcher(records)
    answers = [trial.batcher.answer_tokens(record, record.answer) for record in records]
    with torch.no_grad():
        state = answer_hidden(model, batch, 1)  # the pass ends there
        whole = whole_distribution(model, batch)
        prompted = read_prompts(model, trial.batcher.prompts(records))
        scored = continuation_logprob(model, prompted, *trial.batcher.answers(answers))
    pixels = batch.inputs["pixel_values"].clone().requires_grad_(True)
    given = replace(batch, inputs={**batch.inputs, "pixel_values": pixels})
    loss = mean_nll(answer_distribution(model, given), given).sum()
    slope = torch.autograd.grad(loss, pixels)[0]
    norms = gradient_norms(model, batch, r".*\.language_model\.layers\.\d+\..*_proj")
    found = {"states": state, "whole": whole, "scored": scored, "pixels": slope, "norms": norms}
    return {name: digest([tensor]) for name, tensor in found.items()}
