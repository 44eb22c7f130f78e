"""The records of a trial with more padding, which must change neither loss nor gradient."""

from dataclasses import replace

from torch import Tensor
from torch.nn.functional import pad

from kit.model.batches import TEXT, Batch
from kit.model.prompts import KINDS
from kit.preflight.trial import Watched

COLUMNS = 5  # of padding, more than the batch has


def more_padded(step: Watched, filler: int) -> Watched:
    """Return the step with more padding on the left of all of its batches."""
    wider = {
        name: _wider(value, filler) if isinstance(value, Batch) else value
        for name, value in step.prepared.items()
    }
    return replace(step, prepared=wider, log={}, used=set())


def _wider(batch: Batch, filler: int) -> Batch:
    def more(values: Tensor, value: int) -> Tensor:
        return pad(values, (COLUMNS, 0), value=value)

    inputs = dict(batch.inputs)
    for name, value in {
        "input_ids": filler,
        "attention_mask": 0,
        **dict.fromkeys(KINDS, TEXT),
    }.items():
        if name in inputs:
            inputs[name] = more(inputs[name], value)
    return Batch(
        batch.record_ids, inputs, more(batch.answer_ids, filler), more(batch.answer_mask, 0)
    )
