"""LoRA adapters on the live model: add, switch, save and load them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file
from transformers import PreTrainedModel

from kit.errors import ModelError
from kit.model.weights import save_weights, storing
from kit.result.layout import WEIGHTS


def add_adapter(
    model: PreTrainedModel | PeftModel, name: str, *, modules: str, rank: int, alpha: float
) -> PeftModel:
    """Add a trainable LoRA beside those that are there; the others are frozen and stay active.

    Raises:
        ModelError: the expression matches no module, or one of the vision tower or projector.
    """
    config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=0.0, target_modules=modules)
    try:
        if isinstance(model, PeftModel):
            model.add_adapter(name, config)
        else:
            model = get_peft_model(model, config, adapter_name=name)
    except ValueError as error:
        raise ModelError(
            "model.lora_modules matches no module", expected=modules, found=str(error)[:200]
        ) from None
    wrong = [n for n, _ in model.named_parameters() if "lora_" in n and not _in_language(n)]
    if wrong:
        raise ModelError(
            f"LoRA went outside the language model: {wrong[0]}",
            remedy="anchor model.lora_modules on the language model's path",
        )
    activate(model, [*_adapters(model, name), name], trainable=name)
    return model


def activate(model: PeftModel, names: list[str], trainable: str | None = None) -> None:
    """Switch exactly `names` on; only `trainable` gets gradients."""
    model.base_model.set_adapter(names)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(trainable is not None and f".{trainable}." in name)


@contextmanager
def without(model: PeftModel, name: str) -> Iterator[None]:
    """Compute with the adapter `name` off and gradients disabled: the reference model."""
    rest = _adapters(model, name)
    with torch.no_grad():
        if rest:
            model.base_model.set_adapter(rest)
            try:
                yield
            finally:
                activate(model, [*rest, name], trainable=name)
        else:
            with model.disable_adapter():
                yield


def save_adapter(model: PeftModel, name: str, folder: Path) -> None:
    """Write `adapter_model.safetensors` and `adapter_config.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    save_weights(adapter_state(model, name), folder / WEIGHTS)
    config = model.peft_config[name]
    config.inference_mode = True
    config.base_model_name_or_path = None
    with storing(folder):
        config.save_pretrained(str(folder))


def load_adapter(model: PreTrainedModel | PeftModel, name: str, folder: Path) -> PeftModel:
    """Attach a stored adapter, frozen and active."""
    config = LoraConfig.from_pretrained(str(folder))
    if isinstance(model, PeftModel):
        model.add_adapter(name, config)
    else:
        model = get_peft_model(model, config, adapter_name=name)
    set_peft_model_state_dict(model, load_file(folder / WEIGHTS), adapter_name=name)
    activate(model, [*_adapters(model, name), name])
    return model


def adapter_state(model: PeftModel, name: str) -> dict[str, torch.Tensor]:
    """Return one adapter's weights by PEFT's portable names."""
    return {
        k: v.contiguous() for k, v in get_peft_model_state_dict(model, adapter_name=name).items()
    }


def _in_language(parameter: str) -> bool:
    return not any(part in parameter for part in ("vision", "visual", "projector"))


def _adapters(model: PeftModel, but: str) -> list[str]:
    return [name for name in model.peft_config if name != but]
