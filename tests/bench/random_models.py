"""Base models of real sizes with random weights: what they cost is real, what they say is not.

Sizes are those of the published configurations of LLaVA 1.5 7B and Qwen2.5-VL 7B. Words are the
small experiment's: its tokenizer takes the first places of the real vocabulary.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import AutoModelForImageTextToText

from tests.toys.families import MAKERS, make_family

SHARD_BYTES = {"full": 4_000_000_000, "tiny": 400_000}  # several files either way
SPREAD = 0.02  # transformers' initial scale
FAMILIES = tuple(MAKERS)
ROPE = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]}
SIZES: dict[str, dict[str, dict[str, Any]]] = {
    "llava": {
        "text": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
                 "num_attention_heads": 32, "num_key_value_heads": 32, "vocab_size": 32064,
                 "max_position_embeddings": 4096},
        "vision": {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
                   "num_attention_heads": 16, "image_size": 336, "patch_size": 14},
    },
    "qwen2_5_vl": {
        "text": {"hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28,
                 "num_attention_heads": 28, "num_key_value_heads": 4, "vocab_size": 152064,
                 "rope_parameters": ROPE, "max_position_embeddings": 32768},
        "vision": {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16,
                   "out_hidden_size": 3584, "fullatt_block_indexes": [7, 15, 23, 31]},
    },
}  # fmt: skip
# What differs in a published model of another size: text, vision, tied embeddings.
OTHER_SIZES: dict[str, tuple[str, dict[str, Any], dict[str, Any], bool]] = {
    "llava-hf/llava-1.5-13b-hf": (
        "llava",
        {"hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 40,
         "num_attention_heads": 40, "num_key_value_heads": 40},
        {}, False,
    ),
    "Qwen/Qwen2.5-VL-3B-Instruct": (
        "qwen2_5_vl",
        {"hidden_size": 2048, "intermediate_size": 11008, "num_hidden_layers": 36,
         "num_attention_heads": 16, "num_key_value_heads": 2, "vocab_size": 151936},
        {"out_hidden_size": 2048}, True,
    ),
}  # fmt: skip
TINY: dict[str, dict[str, dict[str, Any]]] = {
    family: {"text": {}, "vision": {}} for family in FAMILIES
}
PIXELS = 1024 * 1024  # at full scale, Qwen's images are enlarged to this many


def write_random_base(folder: Path, family: str, scale: str) -> int:
    """Write model and processor as the hub publishes them; return the bytes of the weights.

    Args:
        family: one of FAMILIES; at full scale one of SIZES.
        scale: "full" or "tiny".
    """
    processor, config = _described(family, scale)
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config)
    config.architectures = [type(model).__name__]
    config.dtype = torch.bfloat16
    config.save_pretrained(folder)
    processor.save_pretrained(folder)
    return _write_weights(model, folder, SHARD_BYTES[scale])


def real_size(family: str) -> Any:
    """Return the configuration of the published model."""
    return _described(family, "full")[1]


def other_size(repo: str) -> Any:
    """Return the configuration of a published model of another size, without its processor."""
    family, text, vision, tied = OTHER_SIZES[repo]
    sizes = SIZES[family]
    config = make_family(family, sizes["text"] | text, sizes["vision"] | vision)[1]
    config.tie_word_embeddings = config.text_config.tie_word_embeddings = tied
    return config


def _described(family: str, scale: str) -> tuple[Any, Any]:
    sizes = (SIZES if scale == "full" else TINY)[family]
    processor, config = make_family(family, sizes["text"], sizes["vision"])
    if scale == "full" and family.startswith("qwen"):
        processor.image_processor.size = {"shortest_edge": PIXELS, "longest_edge": PIXELS}
    return processor, config


def _write_weights(model: torch.nn.Module, folder: Path, most: int) -> int:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    generator = torch.Generator(device).manual_seed(1)
    shard: dict[str, torch.Tensor] = {}
    places: dict[str, str] = {}
    held = total = 0
    for name, parameter in model.state_dict().items():
        value = torch.zeros(parameter.shape, dtype=torch.bfloat16, device=device)
        if parameter.dim() > 1:
            value.normal_(0, SPREAD, generator=generator)
        elif name.endswith("weight"):
            value += 1  # of a normalisation
        shard[name] = value.cpu()
        held += value.nbytes
        total += value.nbytes
        if held > most:
            _write_shard(shard, places, folder)
            shard, held = {}, 0
    _write_shard(shard, places, folder)
    index = {"metadata": {"total_size": total}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    return total


def _write_shard(shard: dict[str, torch.Tensor], places: dict[str, str], folder: Path) -> None:
    name = f"model-{1 + len(set(places.values())):05}.safetensors"
    save_file(shard, folder / name, {"format": "pt"})
    places.update(dict.fromkeys(shard, name))
