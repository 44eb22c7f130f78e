"""Random 4-bit models made on the card, and batches for them; nothing is read or written.

Weights are random, so what a model says means nothing. Sizes, types and kernels are the real ones.
"""

import re
from typing import Any

import torch
from bitsandbytes.nn import Linear4bit, Params4bit
from peft import PeftModel
from torch import Tensor, nn
from transformers import AutoModelForImageTextToText

from kit.model.batches import Batch
from kit.model.families import Family, family_of
from kit.model.lora import add_adapter
from tests.bench.random_models import real_size
from tests.toys.families import make_family

VANILLA, TRAINED = "vanilla", "trained"
RANK = 16
SIDE = {"full": 1036, "tiny": 56}  # pixels of a square image; Qwen's processor makes 1036 of 1024
Length = tuple[int, int]
"""Tokens of a question without its image, and of its answer with the end token."""


def device() -> torch.device:
    """Return the card, or the CPU where there is none."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def synchronise() -> None:
    """Wait until the card has done everything."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def quantised(layer: nn.Linear) -> Linear4bit:
    """Return the layer in NF4 with double quantisation, as the kit loads a base."""
    made = Linear4bit(
        layer.in_features,
        layer.out_features,
        bias=layer.bias is not None,
        compute_dtype=layer.weight.dtype,
        compress_statistics=True,
        quant_type="nf4",
        device="meta",
    )
    weight = Params4bit(
        layer.weight.data, requires_grad=False, quant_type="nf4", compress_statistics=True
    )
    made.weight = weight.to(layer.weight.device)
    if layer.bias is not None:
        made.bias = nn.Parameter(layer.bias.data, requires_grad=False)
    made.support_avx512bf16_for_cpu = False  # as in kit.model.base
    return made


def build(family: str, scale: str, layers: int | None = None) -> tuple[Any, dict[str, Any]]:
    """Return a random frozen model with its language model in NF4, and what it consists of.

    It is made in bfloat16 on the card, 17 GB for the largest, and quantised layer by layer.

    Args:
        family: one of those in tests.bench.random_models.
        scale: "full" or "tiny".
        layers: of the decoder; by default all.
    """
    config = real_size(family) if scale == "full" else make_family(family)[1]
    if layers:
        config.text_config.num_hidden_layers = layers
        if getattr(config.text_config, "layer_types", None):
            config.text_config.layer_types = config.text_config.layer_types[:layers]
    torch.manual_seed(0)
    with torch.device(device()):
        model = AutoModelForImageTextToText.from_config(
            config, dtype=torch.bfloat16, attn_implementation="sdpa"
        )
    row = family_of(config.to_dict())
    names = _quantise(model, row)
    model.is_loaded_in_4bit = True  # PEFT asks for it
    model.requires_grad_(False).eval()
    lora = [name for name, _ in model.named_modules() if re.fullmatch(row.lora_modules, name)]
    described = {
        "quantised_layers": len(names),
        "layers_for_lora": len(lora),
        "weights_bytes": sum(p.nbytes for p in model.parameters()),
        "as_expected": sorted(names) == sorted(lora),
    }
    return model, described


def _quantise(model: nn.Module, family: Family) -> list[str]:
    kept = [re.compile(pattern) for pattern in family.full_precision]
    names = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and not any(each.match(name) for each in kept)
    ]
    for name in names:
        parent, _, own = name.rpartition(".")
        setattr(model.get_submodule(parent), own, quantised(model.get_submodule(name)))
    return names


def with_adapters(model: Any) -> PeftModel:
    """Return the model as in unlearning: a frozen vanilla adapter and one under training."""
    modules = family_of(model.config.to_dict()).lora_modules
    for name in (VANILLA, TRAINED):
        model = add_adapter(model, name, modules=modules, rank=RANK, alpha=RANK)
    for name, parameter in model.named_parameters():
        if ".lora_B." in name:  # zero at first: half of the gradients would be zero
            nn.init.normal_(parameter.data, std=0.01)
    kinds = {type(m).__module__ for m in model.modules() if hasattr(m, "lora_A")}
    assert kinds == {"peft.tuners.lora.bnb"}, f"LoRA is not on 4-bit layers alone: {kinds}"
    return model


def make_batch(config: Any, lengths: list[Length], scale: str, seed: int = 0) -> Batch:
    """Return random records, each with one image, as kit.model.batches lays them out."""
    random = torch.Generator().manual_seed(seed)
    words, image = _words(config), _image_token(config)
    kinds, pictures = _images(config, len(lengths), scale, random)
    rows, answers = [], []
    for question, answer in lengths:
        drawn = words[torch.randint(len(words), (question + answer,), generator=random)].tolist()
        rows.append([*_around(config, [image] * kinds), *drawn])
        answers.append(drawn[question:])
    ids, mask = _left_padded(rows)
    inputs = {"input_ids": ids, "attention_mask": mask, **pictures}
    if config.model_type.startswith("qwen"):
        inputs["mm_token_type_ids"] = (ids == image).long()
    answer_ids, answer_mask = _left_padded(answers)
    names = tuple(f"{seed}-{number}" for number in range(len(lengths)))
    moved = {name: tensor.to(device()) for name, tensor in inputs.items()}
    return Batch(names, moved, answer_ids.to(device()), answer_mask.to(device(), torch.float32))


def _images(
    config: Any, count: int, scale: str, random: torch.Generator
) -> tuple[int, dict[str, Tensor]]:
    """Return the tokens of an image, and the image inputs of `count` records."""
    vision = config.vision_config
    if not config.model_type.startswith("qwen"):
        shape = (count, 3, vision.image_size, vision.image_size)
        tokens = (vision.image_size // vision.patch_size) ** 2
        return tokens, {"pixel_values": torch.randn(shape, generator=random)}
    patches = SIDE[scale] // vision.patch_size
    values = 3 * vision.temporal_patch_size * vision.patch_size**2
    return patches**2 // vision.spatial_merge_size**2, {
        "pixel_values": torch.randn(count * patches**2, values, generator=random),
        "image_grid_thw": torch.tensor([[1, patches, patches]] * count),
    }


def _around(config: Any, image: list[int]) -> list[int]:
    if config.model_type.startswith("qwen"):
        return [config.vision_start_token_id, *image, config.vision_end_token_id]
    return image


def _image_token(config: Any) -> int:
    return int(getattr(config, "image_token_id", None) or config.image_token_index)


def _words(config: Any) -> Tensor:
    """Return the tokens that are neither special nor an image's."""
    marks = {value for name, value in config.to_dict().items() if name.endswith(("_id", "_index"))}
    text = config.text_config
    marks |= {getattr(text, f"{name}_token_id", None) for name in ("bos", "eos", "pad")}
    return torch.tensor(
        [token for token in range(3, min(text.vocab_size, 5000)) if token not in marks]
    )


def _left_padded(rows: list[list[int]]) -> tuple[Tensor, Tensor]:
    width = max(map(len, rows))
    ids = torch.tensor([[0] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return ids, mask
