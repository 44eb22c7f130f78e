"""Memory that a training step keeps for its backward pass, for each token and layer.

    ./run.sh bench activations

Counts on a CPU what autograd saves (`torch.autograd.graph.saved_tensors_hooks`) in the kit's own
forward pass: NF4 base, bfloat16 computation, LoRA on every linear layer. Weights are left out, and
each storage counts once. Three shapes of two depths each give the bytes for each unit of the hidden
and of the intermediate size; a fourth shape is predicted from them. kit/plan/memory.py uses the
result.
"""

import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from kit.artifacts import PROJECT
from kit.benchmarks.records import Concept, Record
from kit.experiment.manifest_file import load_manifest
from kit.model.base import load_base, load_processor
from kit.model.batches import Batcher
from kit.model.families import family_in
from kit.model.likelihood import answer_distribution
from kit.model.lora import add_adapter
from kit.training.masters import MasterWeights
from tests.bench import random_models

# (hidden, intermediate): two differ in one size each, the last is the check.
SHAPES = ((256, 512), (512, 512), (256, 1024), (512, 1536))
LAYERS = (2, 4)
WORDS = 200  # of the text whose passes are measured
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def main() -> int:
    """Measure and print, in bytes for each token and layer."""
    for name in DTYPES:
        first, wider, deeper, other = (per_token_and_layer(*shape, name) for shape in SHAPES)
        hidden = (wider - first) / (SHAPES[1][0] - SHAPES[0][0])
        intermediate = (deeper - first) / (SHAPES[2][1] - SHAPES[0][1])
        predicted = hidden * SHAPES[3][0] + intermediate * SHAPES[3][1]
        print(
            f"LoRA in {name}: {hidden:.1f} x hidden + {intermediate:.1f} x intermediate bytes "
            f"(the shape {SHAPES[3]}: {predicted:.0f} predicted, {other:.0f} counted)"
        )
    return 0


def per_token_and_layer(hidden: int, intermediate: int, lora: str) -> float:
    """Return the saved bytes for each token and layer of a language model of this shape."""
    (few, tokens), (many, _) = (_saved(hidden, intermediate, n, lora) for n in LAYERS)
    return (many - few) / (LAYERS[1] - LAYERS[0]) / tokens


def _saved(hidden: int, intermediate: int, layers: int, lora: str) -> tuple[int, int]:
    """Return the bytes that one forward pass saves, and the number of its tokens."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_base(folder, hidden, intermediate, layers)
        section = load_manifest(PROJECT / "manifests" / "smoke.toml", calibrated=False).model
        section = section.model_copy(update={"compute_dtype": "bfloat16", "lora_modules": None})
        base: Any = load_base(folder, section)
        batcher = Batcher(load_processor(folder), torch.device("cpu"))
        modules = family_in(folder).lora_modules
    base.set_attn_implementation("sdpa")  # as on a GPU
    model = add_adapter(base, "made", modules=modules, rank=16, alpha=16)
    MasterWeights(model, DTYPES[lora])
    batch = batcher([Record("text", Concept.FACT, "sun " * WORDS, "sun")])
    own = {tensor.untyped_storage().data_ptr() for tensor in _tensors(model)}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.setdefault(tensor.untyped_storage().data_ptr(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = -answer_distribution(model.train(), batch).mean()
    saved = sum(t.untyped_storage().nbytes() for place, t in kept.items() if place not in own)
    assert loss.requires_grad
    return saved, int(batch.inputs["input_ids"].shape[1])


def _tensors(model: torch.nn.Module) -> list[torch.Tensor]:
    """Return weights and constants; those of 4-bit layers include what dequantises them."""
    found = [*model.parameters(), *model.buffers()]
    for parameter in model.parameters():
        state: Any = getattr(parameter, "quant_state", None)
        if state is not None:
            found += [t for t in vars(state).values() if isinstance(t, torch.Tensor)]
            nested = getattr(state, "state2", None)
            if nested is not None:
                found += [t for t in vars(nested).values() if isinstance(t, torch.Tensor)]
    return found


def _write_base(folder: Path, hidden: int, intermediate: int, layers: int) -> None:
    text = {
        "hidden_size": hidden, "intermediate_size": intermediate, "num_hidden_layers": layers,
        "num_attention_heads": 4, "num_key_value_heads": 4, "vocab_size": 2000,
    }  # fmt: skip
    with patch.dict(random_models.TINY, llava={**random_models.TINY["llava"], "text": text}):
        random_models.write_random_base(folder, "llava", "tiny")


if __name__ == "__main__":
    raise SystemExit(main())
