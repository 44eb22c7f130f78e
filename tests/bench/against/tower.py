"""(e) The vision tower at every step, against image features that are computed once.

The model is random, with a quarter of the decoder's widths of LLaVA 1.5 7B, its 576 image tokens,
and a tower that takes about half of a forward pass, as that of Qwen2-VL 2B does. Both ways take
steps on the same images.
"""

from functools import partial
from pathlib import Path
from typing import Any

import torch

from kit.model.batches import Batcher
from kit.model.likelihood import answer_distribution, mean_nll
from kit.model.lora import add_adapter
from kit.training.steps import TRAINED
from kit.training.vision import VisionFeatures
from tests.bench import training
from tests.bench.against.turns import REPEATS, Row, Scale, in_turns, rates, require_close
from tests.bench.training import CPU, LANGUAGE, SIZE, WIDE

RECORDS = 1
TEXTS: dict[Scale, dict[str, int]] = {"full": WIDE, "tiny": {}}
TOWERS: dict[Scale, dict[str, int]] = {
    "full": {  # the widths of LLaVA 1.5's own tower
        "hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16,
        "num_hidden_layers": 5,
    },
    "tiny": {"num_hidden_layers": 2},
}  # fmt: skip
CACHE_BYTES = 1_000_000_000
LEAST_GAIN, APART = 1.5, 1e-4  # nats per token
KINDS = {"a policy alone": 0, "a policy and its reference": 1}  # passes without gradient


def measure(folder: Path, repeats: int = REPEATS, scale: Scale = "full") -> list[Row]:
    """Return steps a second of both kinds of steps."""
    model, processor = training._model(TEXTS[scale], TOWERS[scale]), training._processor()
    batcher = Batcher(processor, CPU)
    records = training._records(folder, RECORDS, SIZE)
    batch = batcher(records)
    with torch.no_grad():
        whole, _ = training._timed(lambda: answer_distribution(model, batch))
        tower, _ = training._timed(lambda: model.get_image_features(batch.inputs["pixel_values"]))
    features = VisionFeatures(model, batcher, CACHE_BYTES)
    adapted = add_adapter(model, TRAINED, modules=LANGUAGE, rank=16, alpha=16)
    features(records, batch)  # once, as for all steps on these images
    rows = []
    for kind, references in KINDS.items():
        ways = (
            lambda n=references: _descend(adapted, features(records, batch), n),
            partial(_descend, adapted, batch, references),
        )
        seconds, found = in_turns(ways, repeats)
        rows.append(
            Row(
                f"(e) a step of {kind}",
                f"the vision tower runs at every step; it takes {tower / whole:.0%} of a forward "
                "pass here",
                "steps/s",
                *(rates(1, each) for each in seconds),
                require_close(*found, APART, "losses"),
                LEAST_GAIN,
            )
        )
    return rows


def _descend(model: Any, batch: Any, references: int) -> float:
    """Return the loss, after so many passes without gradient and one in both directions."""
    with torch.no_grad():
        for _ in range(references):
            answer_distribution(model, batch)
    loss = mean_nll(answer_distribution(model, batch), batch).mean()
    loss.backward()
    return float(loss.detach())
