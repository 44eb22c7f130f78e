"""What reference scalars save that are computed once, against computing them in each step.

    ./run.sh bench references

NPO asks the reference about each drawn record, DPO about its refusal as well. Its answers never
change, so one pass for each of them is enough; the frozen reference of other code runs in each
step. The model is that of `bench hidden`: random and narrow, with the 32 decoder layers and 576
image tokens of LLaVA 1.5 7B. A step is the loss of a method and its gradient. Both ways take turns.
Seconds are processor time of one thread, so a busy machine disturbs them little.
"""

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
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
from tests.bench.hidden import RECORDS, TEXT
from tests.bench.training import CPU, LANGUAGE, SIZE

REPEATS, LEAST_GAIN = 5, 1.25
REFUSAL = "I do not know who this is."
ONCE, ALWAYS = "once", "in each step"
ANSWERS = {"npo": ("forget",), "dpo": ("forget", "refusal")}  # whose reference is asked


def main() -> int:
    """Print steps per second of both ways; 1 where a method gains less than is wanted."""
    torch.set_num_threads(1)
    model = add_adapter(training._model(TEXT), TRAINED, modules=LANGUAGE, rank=16, alpha=16)
    with tempfile.TemporaryDirectory() as folder:
        records = training._records(Path(folder), 2 * RECORDS, SIZE)
        batcher = Batcher(training._processor(), CPU)
        batches = {
            "forget": batcher(records[:RECORDS]),
            "refusal": batcher([replace(each, answer=REFUSAL) for each in records[:RECORDS]]),
            "retain": batcher(records[RECORDS:]),
        }
    least = min(_compare(name, model, batches) for name in ANSWERS)
    return int(least < LEAST_GAIN)


def _compare(name: str, model: Any, batches: dict[str, Batch]) -> float:
    """Print both rates of a method, and return how many times as fast the first one is."""
    given = _references(name, model, batches)
    taken: dict[str, list[float]] = {ONCE: [], ALWAYS: []}
    losses = {}
    for turn in range(1 + REPEATS):
        for way, seconds in taken.items():
            known = given if way == ONCE else None
            spent, losses[way] = training._timed(partial(_descend, name, model, batches, known))
            if turn:  # the first one warms up
                seconds.append(spent)
    rates = {way: 1 / median(seconds) for way, seconds in taken.items()}
    for way, rate in rates.items():
        print(f"{name} on {RECORDS} pairs of records, references {way}: {rate:.2f} steps/s")
    gain = rates[ONCE] / rates[ALWAYS]
    print(
        f"{gain:.2f} times as fast (at least {LEAST_GAIN} wanted); losses "
        f"{abs(losses[ONCE] - losses[ALWAYS]):.0e} apart"
    )
    return gain


def _descend(
    name: str, model: Any, batches: dict[str, Batch], given: dict[str, Tensor] | None
) -> float:
    """Compute a loss and its gradient; without given references, those first."""
    known = _references(name, model, batches) if given is None else given
    method = build(name, {})
    step = Step(model, partial(without, model, TRAINED), method.needs, {**batches, **known})
    loss = method.loss(step)
    loss.backward()
    return float(loss.detach())


def _references(name: str, model: Any, batches: dict[str, Batch]) -> dict[str, Tensor]:
    with without(model, TRAINED):
        return {
            f"{answer}_reference": sequence_logprob(
                answer_distribution(model, batches[answer]), batches[answer]
            )
            for answer in ANSWERS[name]
        }


if __name__ == "__main__":
    raise SystemExit(main())
