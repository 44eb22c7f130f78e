"""(f) Logits of the whole sequence, against logits of the answers alone.

The model is random and narrow, with the 32 decoder layers and 576 image tokens of LLaVA 1.5 7B. Its
vocabulary is so small that the output layer holds the same share of the language model's weights as
in the published model. With the real vocabulary, a narrow model would spend most of its time there,
which no real model does.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from kit.model.batches import Batch, Batcher
from kit.model.likelihood import answer_distribution, mean_nll, whole_distribution
from kit.model.lora import add_adapter
from kit.training.steps import TRAINED
from tests.bench import training
from tests.bench.against.turns import REPEATS, Row, Scale, in_turns, rates, require_close
from tests.bench.hidden import TEXT
from tests.bench.random_models import SIZES
from tests.bench.training import CPU, LANGUAGE, SIZE

RECORDS = 1
LAYERS = {"full": TEXT["num_hidden_layers"], "tiny": 2}
APART = 1e-4  # nats per token
NAMES = {"llava": "LLaVA 1.5 7B", "qwen2_5_vl": "Qwen2.5-VL 7B"}
BASELINE = "a step computes logits at every position of question, picture and answer"


def measure(folder: Path, repeats: int = REPEATS, scale: Scale = "full") -> list[Row]:
    """Return steps a second and bytes kept for the backward pass, for two published shapes."""
    records = training._records(folder, RECORDS, SIZE)
    batch = Batcher(training._processor(), CPU)(records)
    rows = []
    for family, name in NAMES.items():
        text = {**TEXT, "vocab_size": vocabulary_like(SIZES[family]["text"], TEXT)}
        text["num_hidden_layers"] = LAYERS[scale]
        model = add_adapter(training._model(text), TRAINED, modules=LANGUAGE, rank=16, alpha=16)
        ways = (
            partial(_descend, model, batch, answer_distribution),
            partial(_descend, model, batch, _of_whole),
        )
        seconds, found = in_turns(ways, repeats)
        equal = require_close(*found, APART, "losses")
        kept = [
            (float(training.kept_bytes(model, partial(_loss, model, batch, way))),)
            for way in (answer_distribution, _of_whole)
        ]
        like = f"output layer as in {name}"
        rows += [
            Row(f"(f) a step, {like}", BASELINE, "steps/s", *(rates(1, s) for s in seconds), equal),
            Row(f"(f) kept for backward, {like}", BASELINE, "bytes", *kept, equal),
        ]
    return rows


def vocabulary_like(published: dict[str, Any], narrow: dict[str, int]) -> int:
    """Return the vocabulary that gives a narrow model a published one's share of the output."""
    share = published["vocab_size"] * published["hidden_size"] / _layers(published)
    return round(share * _layers(narrow) / narrow["hidden_size"])


def _layers(text: dict[str, Any]) -> int:
    """Return the weights of all decoder layers: attention and feed-forward, without biases."""
    hidden, heads = text["hidden_size"], text["num_attention_heads"]
    keys = hidden * text.get("num_key_value_heads", heads) // heads
    each: int = 2 * hidden * hidden + 2 * hidden * keys + 3 * hidden * text["intermediate_size"]
    return each * int(text["num_hidden_layers"])


def _of_whole(model: Any, batch: Batch) -> Tensor:
    length = batch.answer_ids.shape[1]
    return whole_distribution(model, batch)[:, -length - 1 : -1]


def _loss(model: Any, batch: Batch, distribution: Callable[[Any, Batch], Tensor]) -> Tensor:
    return mean_nll(distribution(model, batch), batch).mean()


def _descend(model: Any, batch: Batch, distribution: Callable[[Any, Batch], Tensor]) -> float:
    loss = _loss(model, batch, distribution)
    loss.backward()
    return float(loss.detach())
