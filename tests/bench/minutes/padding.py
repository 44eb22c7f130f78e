"""Records in one left-padded batch against each record alone, through PyTorch's fused attention.

Loss and gradients of a record must be finite and those of the record alone, whatever is padded
beside it. The models have the real widths and two decoder layers.
"""

from typing import Any

import torch
from torch import Tensor

from kit.model import determinism
from kit.model.batches import Batch
from kit.model.determinism import backward, with_fallback
from kit.model.likelihood import answer_distribution, mean_nll
from tests.bench.minutes.models import build, make_batch, with_adapters

FAMILIES = ("llava", "qwen2_5_vl")
LENGTHS = [(12, 3), (60, 40), (25, 12)]
LAYERS = 2
# In bfloat16, as in kit.training: nats per token, and the difference's share of the gradient.
MOST_NATS, MOST_SHARE = 0.1, 0.25


def run(notes: Any, scale: str) -> None:
    """Compare for each family."""
    determinism.enable()
    for family in FAMILIES:
        notes.attempt(family, lambda family=family: _compared(family, scale))


def _compared(family: str, scale: str) -> dict[str, Any]:
    model, described = build(family, scale, LAYERS)
    adapted = with_adapters(model)
    together = make_batch(model.config, LENGTHS, scale)
    found = []
    for number, length in enumerate(LENGTHS):
        padded = with_fallback(lambda n=number: _probe(adapted, together, n))
        single = with_fallback(lambda n=number: _probe(adapted, _only(together, n), 0))
        found.append(
            {
                "padding": max(map(sum, LENGTHS)) - sum(length),
                "nats_apart": abs(padded[0] - single[0]),
                "gradient_apart": float((padded[1] - single[1]).norm() / single[1].norm()),
                "finite": bool(torch.isfinite(padded[1]).all() and torch.isfinite(single[1]).all()),
            }
        )
    good = all(
        one["finite"] and one["nats_apart"] <= MOST_NATS and one["gradient_apart"] <= MOST_SHARE
        for one in found
    )
    # Otherwise equal gradients would say nothing.
    different = float((padded[1] - _probe(adapted, _only(together, 0), 0)[1]).norm())
    return {
        "records": found,
        "attention": model.config._attn_implementation,
        "as_expected": good and described["as_expected"] and different > 0,
    }


def _probe(model: torch.nn.Module, batch: Batch, record: int) -> tuple[float, Tensor]:
    """Return M of one record of a batch, and the gradient of all trained weights as one vector."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.grad = None
    loss = mean_nll(answer_distribution(model, batch), batch)[record]
    backward(loss)
    grads = [p.grad.float().flatten() for p in trained if p.grad is not None]
    return float(loss.detach()), torch.cat(grads)


def _only(batch: Batch, record: int) -> Batch:
    """Return one record of a batch alone, without padding."""
    count = len(batch.record_ids)
    used = int(batch.inputs["attention_mask"][record].sum())
    said = int(batch.answer_mask[record].sum())
    inputs = {}
    for name, tensor in batch.inputs.items():
        if name.startswith(("pixel_values", "image_")):
            inputs[name] = tensor.reshape(count, -1, *tensor.shape[1:])[record]
        else:
            inputs[name] = tensor[record : record + 1, -used:]
    return Batch(
        (batch.record_ids[record],),
        inputs,
        batch.answer_ids[record : record + 1, -said:],
        batch.answer_mask[record : record + 1, -said:],
    )
