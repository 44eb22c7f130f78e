"""The frozen base.

The base is loaded once, in NF4 unless the manifest keeps it whole, and never changes; vision tower
and projector stay frozen in full precision. The vanilla model is the base with one adapter, and an
unlearned model is the vanilla model with a second adapter. The reference is the same model with the
second adapter off.
"""

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit
from safetensors.torch import load_file
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    BitsAndBytesConfig,
    PreTrainedModel,
)

from kit.errors import ModelError
from kit.experiment.manifest import ModelSection
from kit.model import sharding
from kit.model.decoding import ends_of, use_only
from kit.model.dense import keep_dense
from kit.model.families import CONFIG, Family, family_in
from kit.model.pixels import limit_pixels
from kit.model.weights import as_storage_errors, save_weights


def device() -> torch.device:
    """Return the current GPU, or the CPU where there is none."""
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")


def load_processor(path: Path, section: ModelSection | None = None) -> Any:
    """Load processor, tokenizer and chat template of a base model.

    Args:
        section: limits the pixels of an image, if it says so; None limits nothing.
    """
    processor: Any = AutoProcessor.from_pretrained(path, local_files_only=True)
    if section is not None and section.max_pixels is not None:
        limit_pixels(processor, section.max_pixels)
    return processor


def load_base(
    path: Path, section: ModelSection, place: torch.device | None = None
) -> PreTrainedModel:
    """Load the base, frozen, ready for adapters: in NF4 with double quantisation, or whole.

    A process that shares its base with others keeps its share (`kit.model.sharding`).

    Args:
        section: says which of the two, and in what type everything else is.
        place: where to load it to; None: to this process's device.

    Raises:
        ModelError: the folder holds no model of a supported family, or not all of its weights.
    """
    family = family_in(path)
    dtype = getattr(torch, section.compute_dtype)
    shared = sharding.size() > 1
    place = torch.device("cpu") if shared else place or device()
    try:
        loaded: Any = AutoModelForImageTextToText.from_pretrained(
            path,
            output_loading_info=True,
            quantization_config=_nf4(family, dtype) if is_quantised(section) else None,
            dtype=dtype,
            attn_implementation="sdpa" if torch.cuda.is_available() else "eager",
            device_map={"": place},
            local_files_only=True,
        )
    except (OSError, ValueError) as error:  # ValueError: a folder without a config.json
        raise ModelError(
            f"no base model in {path}",
            expected="config.json and all weights of a family that the kit knows",
            found=str(error).splitlines()[0],
            remedy="run `./run.sh fetch`, and then `./run.sh doctor`, which checks every file",
        ) from None
    model, about = loaded  # a pair, since the report on loading was asked for
    require_all_weights(path, about["missing_keys"])
    for module in model.modules():
        if isinstance(module, Linear4bit):
            # In eval mode this kernel repacks the weight in place, permanently and without a
            # gradient: training after generating would be silently wrong.
            module.support_avx512bf16_for_cpu = False
    if is_quantised(section):
        _check_quantised(model, family)
    frozen: PreTrainedModel = model.requires_grad_(False).eval()
    if shared:
        sharding.share_out(frozen, device())
    elif is_quantised(section):
        keep_dense(model)
    return frozen


def is_quantised(section: ModelSection) -> bool:
    """Return whether the linear layers of the language model are in 4 bits."""
    return section.quantization != "none"


def _nf4(family: Family, dtype: torch.dtype) -> BitsAndBytesConfig:
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        llm_int8_skip_modules=list(family.full_precision),
    )


def require_all_weights(path: Path, missing: Collection[str]) -> None:
    """Refuse a base with weights that transformers has drawn at random: they are in no file."""
    if missing:
        raise ModelError(
            f"the weight files in {path} do not hold all weights of the model",
            expected=f"weights for every module that {CONFIG} describes",
            found=f"{len(missing)} are missing, such as {min(missing)}",
            remedy=f"fetch {CONFIG} and all *.safetensors files of one revision of the base",
        )


def language_layers(model: torch.nn.Module, family: Family) -> set[str]:
    """Return the paths of the linear layers of the language model's decoder.

    They are the ones to quantise and to adapt.
    """
    decoder = model.get_submodule(family.language_model)
    return {
        f"{family.language_model}.{name}"
        for name, module in decoder.named_modules()
        if isinstance(module, torch.nn.Linear)
    }


def _check_quantised(model: torch.nn.Module, family: Family) -> None:
    """Raise ModelError unless the language model's linear layers, and no others, are quantised."""
    found = {name for name, module in model.named_modules() if isinstance(module, Linear4bit)}
    wrong = found ^ language_layers(model, family)
    if wrong or not found:
        raise ModelError(
            f"the 4-bit weights of this {family.title} are not those of its language model",
            expected=f"all linear layers of {family.language_model}, and no others",
            found=", ".join(sorted(wrong)[:3]) or "no linear layer",
            remedy="report the model: its modules are not named as in others of its family",
        )


def dequantized_state(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return the dequantised weights of the 4-bit base by module path, in main memory.

    They are moved one by one: all of them would not fit beside the base on a small GPU.
    """
    state = {}
    for name, module in model.named_modules():
        if isinstance(module, Linear4bit):
            quantized: Any = module.weight  # a Params4bit
            weight = dequantize_4bit(quantized.data, quantized.quant_state)
            state[f"{name}.weight"] = weight.to(module.compute_dtype).cpu()
    return state


def export_base(
    source: Path, section: ModelSection, target: Path, place: torch.device | None = None
) -> None:
    """Write the base for serving: evaluation uses the weights that training used.

    They are the dequantised ones, or the published ones in the type of the computation.

    Args:
        place: where they are quantised, as for `load_base`.
    """
    family = family_in(source)
    dtype = getattr(torch, section.compute_dtype)
    quantized = {}
    if is_quantised(section):
        quantized = dequantized_state(load_base(source, section, place))
    model = AutoModelForImageTextToText.from_pretrained(source, dtype=dtype, local_files_only=True)
    _, unexpected = model.load_state_dict(quantized, strict=False)
    if unexpected:
        raise ModelError(
            f"the unquantised model has no weights {', '.join(unexpected[:3])}",
            expected=f"the names of all {len(quantized)} weights of the quantised one",
            found=f"{len(unexpected)} names that it does not have",
            remedy="report the model family: its modules are named otherwise once quantised",
        )
    # Published settings of generation may be refused when they are saved; only end tokens count.
    use_only(model, ends_of(model))
    with as_storage_errors(target):
        model.save_pretrained(target)
        load_processor(source, section).save_pretrained(target)
    del model, quantized
    for pattern, replacement in family.weight_renames:
        _rename_weights(target, re.compile(pattern), replacement)


def _rename_weights(folder: Path, pattern: re.Pattern[str], replacement: str) -> None:
    """Rename the weights of a checkpoint: vLLM accepts only the hub's names."""

    def renamed(names: Mapping[str, Any]) -> dict[str, Any]:
        return {pattern.sub(replacement, name): value for name, value in names.items()}

    for shard in sorted(folder.glob("*.safetensors")):
        state = load_file(shard)
        named = renamed(state)
        if named.keys() != state.keys():
            save_weights(named, shard, {"format": "pt"})
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        content = json.loads(index.read_text(encoding="utf-8"))
        content["weight_map"] = renamed(content["weight_map"])
        index.write_text(json.dumps(content, indent=2, sort_keys=True), encoding="utf-8")
