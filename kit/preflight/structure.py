"""The real model of a base, built from its config.json alone: no weights and no memory.

Modules are quantised by the same code of transformers that loads the base, on torch's meta device.
So what is counted here is what training will meet.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from bitsandbytes.nn import Linear4bit
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    BitsAndBytesConfig,
    PreTrainedModel,
)
from transformers.quantizers.auto import AutoHfQuantizer

from kit.errors import ModelError
from kit.experiment.manifest import ModelSection
from kit.model.base import is_quantised
from kit.model.families import CONFIG, Family, family_in
from kit.plan.sizes import BaseSizes

FIXED_TOWERS = ("clip_vision_model", "siglip_vision_model")  # one size alone; the rest interpolate


@dataclass(frozen=True)
class Structure:
    """What the base is, and where quantisation and LoRA act."""

    title: str
    sizes: BaseSizes
    lora: tuple[str, ...]
    """Paths of the modules that get LoRA."""
    quantized: tuple[str, ...]
    """Paths of the modules that are stored in 4 bits; none of a base that is kept whole."""
    positions: int | None
    """The longest context of the language model, in tokens, where it states one."""

    def describe(self) -> str:
        """Return one line for a report."""
        return (
            f"{self.title}, {len(self.lora)} LoRA modules, {len(self.quantized)} quantised, "
            "none in the vision tower or projector"
        )


def read_structure(folder: Path, section: ModelSection) -> Structure:
    """Build the model of a base and check where LoRA and quantisation act.

    Raises:
        ModelError: there is no config.json; this family is not supported; LoRA matches no module,
            or one that is no linear layer of the language model; or a module outside the language
            model is quantised.
    """
    family = family_in(folder)
    config, model = _build(folder)
    linear = {n: m for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)}
    total = sum(parameter.numel() for parameter in model.parameters())
    language = _language_path(model)
    if is_quantised(section):
        quantize(model, section, family)
        quantized = {n for n, m in model.named_modules() if isinstance(m, Linear4bit)}
        layers = quantized
    else:
        quantized, layers = set(), {n for n in linear if n.startswith(f"{language}.")}
    # PEFT matches the whole path, as `re.fullmatch` does.
    expression = section.lora_modules or family.lora_modules
    lora = {n for n, _ in model.named_modules() if re.fullmatch(expression, n)}
    _require_places(lora, layers, language, expression)
    weights = {n: linear[n].weight.numel() for n in layers}
    sides = sum(linear[n].in_features + linear[n].out_features for n in lora)
    text = config.get_text_config()
    sizes = BaseSizes.of_config(
        config.model_type,
        text,
        quantized=sum(weights.values()),
        other=total - sum(weights.values()),
        lora_sides=sides,
        lora_weights=sum(linear[n].in_features * linear[n].out_features for n in lora),
    )
    positions = getattr(text, "max_position_embeddings", None)
    return Structure(family.title, sizes, tuple(sorted(lora)), tuple(sorted(quantized)), positions)


def attention_heads(folder: Path) -> int:
    """Return how many heads a layer of the language model has."""
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    return int(config.get_text_config().num_attention_heads)


def fixed_side(folder: Path) -> int | None:
    """Return the width and height in pixels that the vision tower accepts; None: any."""
    config: Any = AutoConfig.from_pretrained(folder, local_files_only=True)
    tower: Any = getattr(config, "vision_config", None)
    return tower.image_size if getattr(tower, "model_type", "") in FIXED_TOWERS else None


def quantize(model: PreTrainedModel, section: ModelSection, family: Family) -> None:
    """Replace the modules of a meta model by 4-bit ones, as loading the base does."""
    settings = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_compute_dtype=getattr(torch, section.compute_dtype),
        llm_int8_skip_modules=list(family.full_precision),
    )
    quantizer: Any = AutoHfQuantizer.from_config(settings)
    quantizer._process_model_before_weight_loading(model, device_map=None)


def _build(folder: Path) -> tuple[Any, PreTrainedModel]:
    try:
        config: Any = AutoConfig.from_pretrained(folder, local_files_only=True)
        with torch.device("meta"):
            model = AutoModelForImageTextToText.from_config(config)
    except (OSError, ValueError, AssertionError, ImportError, KeyError, RuntimeError) as error:
        raise ModelError(
            f"transformers cannot build the model of {folder / CONFIG}",
            expected="a model of AutoModelForImageTextToText",
            found=str(error).splitlines()[0][:300] if str(error) else type(error).__name__,
            remedy="use a base that AutoModelForImageTextToText of this version of transformers "
            "knows: see kit/model/README.md",
        ) from None
    return config, model


def _language_path(model: PreTrainedModel) -> str:
    """Return the path of the language model within the whole."""
    decoder = model.get_decoder()
    return next((name for name, module in model.named_modules() if module is decoder), "")


def _require_places(lora: set[str], layers: set[str], language: str, expression: str) -> None:
    """Check that LoRA and 4 bits reach linear layers of the language model, and nothing else."""
    if not lora:
        raise ModelError(
            "model.lora_modules matches no module",
            expected=expression,
            found=f"modules such as {min(layers, default='none')}",
            remedy="write an expression for the whole path of the language model's linear layers: "
            "see kit/model/README.md",
        )
    outside = sorted(n for n in {*lora, *layers} if not n.startswith(f"{language}."))
    if outside:
        which = "gets LoRA" if outside[0] in lora else "would be stored in 4 bits"
        raise ModelError(
            f"a module outside the language model {which}: {outside[0]}",
            expected=f"only modules below {language}",
            found=f"{len(outside)} others",
            remedy=f"anchor model.lora_modules on the path {language}"
            if outside[0] in lora
            else "report the family: the kit must keep this module in full precision "
            "(kit/model/families.py)",
        )
    if wrong := sorted(lora - layers):
        raise ModelError(
            f"model.lora_modules matches no linear layer of the language model: {wrong[0]}",
            expected="the layers that are in 4 bits, unless the manifest keeps the base whole",
            found=f"{len(wrong)} of {len(lora)} LoRA modules are not",
            remedy="let model.lora_modules end with the names of linear layers, such as `_proj`",
        )
