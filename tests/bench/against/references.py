"""(d) A second copy of the model as reference, against reference scalars that are computed once.

NPO asks the reference about each drawn record, DPO about its refusal as well. The paper's NPO has
no retain records; the kit's default adds them, as open-unlearning does. A reference's answers never
change, so one pass for each of them is enough, and it needs no weights of its own. Published code
keeps a frozen copy and runs it in each step. The model is random, with a quarter of the widths of
LLaVA 1.5 7B and its 576 image tokens. It is not narrower than that, because LoRA then takes a share
of a step that it never takes in a real model. A step is the loss of a method and its gradient.
"""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kit.methods.registry import build
from kit.methods.step import Step
from kit.model.batches import Batch, Batcher
from kit.model.likelihood import answer_distribution, sequence_logprob
from kit.model.lora import add_adapter, without
from kit.training.steps import TRAINED
from tests.bench import training
from tests.bench.against.turns import REPEATS, Row, Scale, in_turns, rates, require_close
from tests.bench.training import CPU, LANGUAGE, SIZE, WIDE

PAIRS = 1
TEXTS: dict[Scale, dict[str, int]] = {"full": WIDE, "tiny": {"num_hidden_layers": 2}}
LEAST_GAIN, MOST_MEMORY, APART = 1.25, 0.6, 1e-3  # nats of a whole answer
MOVED = 0.02  # spread of the trained weights, so that the policy is not its own reference
REFUSAL = "I do not know who this is."
ANSWERS = {"npo": ("forget",), "dpo": ("forget", "refusal")}  # whose reference is asked
STEPS: dict[str, tuple[str, dict[str, float]]] = {
    "NPO without retain records": ("npo", {"retain_weight": 0.0}),
    "NPO": ("npo", {}),
    "DPO": ("dpo", {}),
}
BASELINE = "a frozen second copy of the model is run in each step"


def measure(folder: Path, repeats: int = REPEATS, scale: Scale = "full") -> list[Row]:
    """Return steps a second of both methods, and the memory of models and backward pass."""
    base = training._model(TEXTS[scale])
    second = copy.deepcopy(base)  # before the adapter: the model that unlearning starts from
    model = add_adapter(base, TRAINED, modules=LANGUAGE, rank=16, alpha=16)
    for weight in model.parameters():
        if weight.requires_grad:
            torch.nn.init.normal_(weight, std=MOVED)
    records = training._records(folder, 2 * PAIRS, SIZE)
    batcher = Batcher(training._processor(), CPU)
    batches = {
        "forget": batcher(records[:PAIRS]),
        "refusal": batcher([replace(each, answer=REFUSAL) for each in records[:PAIRS]]),
        "retain": batcher(records[PAIRS:]),
    }
    return [row for label in STEPS for row in _compare(label, model, second, batches, repeats)]


def _compare(
    label: str, model: Any, second: Any, batches: dict[str, Batch], repeats: int
) -> list[Row]:
    name, options = STEPS[label]
    with without(model, TRAINED):
        known = _references(name, model, batches)
    ways: tuple[Callable[[], Tensor], ...] = (
        lambda: _loss(name, options, model, {**batches, **known}),
        lambda: _loss(name, options, model, {**batches, **_references(name, second, batches)}),
    )
    seconds, found = in_turns([partial(_descend, way) for way in ways], repeats)
    equal = require_close(*found, APART, "losses")
    steps = [rates(1, each) for each in seconds]
    held = _bytes(model), _bytes(model) + _bytes(second)
    kept = [training.kept_bytes(model, way) for way in ways]
    whole = [(float(one + other),) for one, other in zip(held, kept, strict=True)]
    rows = [Row(f"(d) a step of {label}", BASELINE, "steps/s", *steps, equal, LEAST_GAIN)]
    if label == "NPO":  # the same for every method
        weights = [(float(each),) for each in held]
        rows.append(Row("(d) weights held", BASELINE, "bytes", *weights, equal, MOST_MEMORY))
    rows.append(
        Row(f"(d) weights, and kept for backward, {label}", BASELINE, "bytes", *whole, equal)
    )
    return rows


def _bytes(model: Any) -> int:
    return sum(each.nbytes for each in (*model.parameters(), *model.buffers()))


def _loss(name: str, options: dict[str, float], model: Any, given: dict[str, Any]) -> Tensor:
    method = build(name, options)
    return method.loss(Step(model, partial(without, model, TRAINED), method.needs, given))


def _descend(way: Callable[[], Tensor]) -> float:
    loss = way()
    loss.backward()
    return float(loss.detach())


def _references(name: str, model: Any, batches: dict[str, Batch]) -> dict[str, Tensor]:
    with torch.no_grad():
        return {
            f"{answer}_reference": sequence_logprob(
                answer_distribution(model, batches[answer]), batches[answer]
            )
            for answer in ANSWERS[name]
        }
