"""What RMU saves by ending its passes at the layer that it steers.

    ./run.sh bench hidden

The model is random and narrow, with the 32 decoder layers and 576 image tokens of LLaVA 1.5 7B, and
a tower of three layers. A step is RMU's loss and its gradient on pairs of records.
Seconds are processor time of one thread, so a busy machine disturbs them little.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kit.methods.registry import build
from kit.methods.step import Step
from kit.model.batches import Batch, Batcher
from kit.model.lora import add_adapter, without
from kit.training.preparation.hidden_states import direction
from kit.training.steps import TRAINED
from tests.bench import training
from tests.bench.training import BATCH, CPU, LANGUAGE, SIZE, STEPS

TEXT = {"num_hidden_layers": 32, "hidden_size": 256, "intermediate_size": 688,
        "num_attention_heads": 8, "num_key_value_heads": 8}  # fmt: skip
RECORDS = BATCH // 4


def main() -> int:
    """Measure RMU's steps with and without the early stop."""
    torch.set_num_threads(1)
    model = add_adapter(training._model(TEXT), TRAINED, modules=LANGUAGE, rank=16, alpha=16)
    with tempfile.TemporaryDirectory() as folder:
        records = training._records(Path(folder), 2 * RECORDS, SIZE)
        batcher = Batcher(training._processor(), CPU)
        forget, retain = batcher(records[:RECORDS]), batcher(records[RECORDS:])
    ways: dict[str, Callable[[], Step]] = {
        "the whole model": partial(_step, _Whole, model, forget, retain),
        "the layers up to RMU's": partial(_step, Step, model, forget, retain),
    }
    rates, losses = [], []
    for name, step in ways.items():
        _descend(step)
        seconds, found = training._timed(lambda s=step: [_descend(s) for _ in range(STEPS)])
        rates.append(STEPS / seconds)
        losses.append(found[0])
        print(f"RMU on {RECORDS} pairs of records, passes through {name}: {rates[-1]:.2f} steps/s")
    print(f"{rates[1] / rates[0]:.2f} times as fast; losses {abs(losses[1] - losses[0]):.0e} apart")
    return 0


class _Whole(Step):
    """A step whose hidden states are taken from passes through all layers and the head."""

    def hidden(self, batch: Batch, layer: int) -> Tensor:
        length = batch.answer_ids.shape[1]
        found = self.model(
            **batch.inputs, logits_to_keep=length + 1, use_cache=False, output_hidden_states=True
        )
        state: Tensor = found.hidden_states[layer + 1][:, -length - 1 : -1]
        return state

    def reference_hidden(self, batch: Batch, layer: int) -> Tensor:
        with self.without_adapter():
            return self.hidden(batch, layer)


def _step(kind: type[Step], model: Any, forget: Batch, retain: Batch) -> Step:
    width = model.config.get_text_config().hidden_size
    given = {"forget": forget, "retain": retain, "direction": direction(width, 1)}
    return kind(model, partial(without, model, TRAINED), build("rmu", {}).needs, given)


def _descend(step: Callable[[], Step]) -> float:
    loss = build("rmu", {}).loss(step())
    loss.backward()
    return float(loss.detach())


if __name__ == "__main__":
    raise SystemExit(main())
