"""LoRA adapters and full updates on the live model: add, switch, save and load them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from transformers import PreTrainedModel

from kit.errors import ModelError
from kit.model.adapter_files import AGAIN, StoredAdapter, read_adapter
from kit.model.dense import add_in_place
from kit.model.full_update import StoredUpdate, is_full, read_update, stored_names, widen
from kit.model.merged import MergeIn, no_merge
from kit.model.neurons import gate, read_neurons
from kit.model.side_by_side import act_merged
from kit.model.weights import as_storage_errors, save_weights
from kit.result.layout import FULL_UPDATE, WEIGHTS


def add_adapter(
    model: PreTrainedModel | PeftModel, name: str, *, modules: str, rank: int, alpha: float
) -> PeftModel:
    """Add a trainable LoRA; the model's other adapters are frozen and stay active.

    Args:
        modules: regular expression on the whole path of the adapted linear layers.
        rank: dimensions of the adapter.
        alpha: the adapter's output is scaled by alpha / rank.

    Raises:
        ModelError: the expression matches no module, or one in the vision tower or projector.
    """
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,  # type: ignore[arg-type]  # PEFT divides it, so a float is as good
        lora_dropout=0.0,
        target_modules=modules,
    )
    try:
        adapted = _attach(model, name, config)
    except ValueError as error:
        raise ModelError(
            "model.lora_modules matches no module",
            expected=modules,
            found=str(error)[:200],
            remedy="write an expression for the whole path of the language model's linear layers: "
            "see kit/model/README.md",
        ) from None
    base: Any = adapted.get_base_model()
    language = {id(module) for module in base.get_decoder().modules()}
    layers = [(n, m) for n, m in base.named_modules() if isinstance(m, BaseTunerLayer)]
    wrong = [layer_name for layer_name, layer in layers if id(layer) not in language]
    if wrong:
        raise ModelError(
            f"model.lora_modules matches a module outside the language model: {wrong[0]}",
            expected="modules of the language model alone",
            found=f"{len(layers)} modules, {len(wrong)} of them outside",
            remedy="anchor model.lora_modules on the language model's path",
        )
    activate(adapted, [*_adapters(adapted, name), name], trainable=name)
    return adapted


def add_full_update(model: PreTrainedModel | PeftModel, name: str, *, modules: str) -> PeftModel:
    """Add a trainable full update that is zero; all else is as for `add_adapter`.

    Raises:
        ModelError: as `add_adapter`.
    """
    adapted = add_adapter(model, name, modules=modules, rank=1, alpha=1)
    widen(adapted, name)
    activate(adapted, [*_adapters(adapted, name), name], trainable=name)
    return adapted


def activate(model: PeftModel, names: list[str], trainable: str | None = None) -> None:
    """Switch exactly the adapters `names` on; only `trainable` gets gradients."""
    _set_active(model, names)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(trainable is not None and f".{trainable}." in name)


@contextmanager
def without(model: PeftModel, name: str) -> Iterator[None]:
    """Compute with the adapter `name` off and gradients disabled: the reference model."""
    rest = _adapters(model, name)
    with torch.no_grad():
        if rest:
            _set_active(model, rest)
            try:
                yield
            finally:
                activate(model, [*rest, name], trainable=name)
        else:
            with model.disable_adapter():
                yield


def save_adapter(model: PeftModel, name: str, folder: Path) -> None:
    """Write `adapter_model.safetensors` and `adapter_config.json`, or the full update alone."""
    folder.mkdir(parents=True, exist_ok=True)
    if is_full(model, name):
        save_weights(stored_names(adapter_state(model, name)), folder / FULL_UPDATE)
        return
    save_weights(adapter_state(model, name), folder / WEIGHTS)
    config = model.peft_config[name]
    config.inference_mode = True
    config.base_model_name_or_path = None
    with as_storage_errors(folder):
        config.save_pretrained(str(folder))


def replace_weights(model: PeftModel, name: str, weights: dict[str, torch.Tensor]) -> None:
    """Give an adapter other weights of the same form, by PEFT's portable names."""
    set_peft_model_state_dict(model, weights, adapter_name=name)


def load_adapter(
    model: PreTrainedModel | PeftModel, name: str, folder: Path, merge_in: MergeIn = no_merge
) -> PeftModel:
    """Attach a stored adapter or full update, frozen and active, and remove its neurons.

    Several adapters in one file act as what they are merged into.

    Args:
        merge_in: gives the rule of an artifact of several adapters.

    Raises:
        ModelError: the adapter is damaged, or it was trained on another base.
    """
    removed = read_neurons(folder)
    update = read_update(folder)
    alone = bool(removed) and not (update or (folder / WEIGHTS).exists())
    stored = None if alone else update or read_adapter(folder)
    try:
        # Neurons alone get an adapter that adds zero: it is switched on and off as others are.
        if update:
            config: PeftConfig = _smallest("|".join(map(re.escape, update.layers)))
        else:
            config = _smallest([*removed]) if alone else LoraConfig.from_pretrained(str(folder))
        adapted = _attach(model, name, config)
    except (ValueError, TypeError) as error:
        raise _of_another_base(folder, str(error)) from None
    if update:
        widen(adapted, name)
    if stored:
        _require_own(stored, adapter_state(adapted, name))
        set_peft_model_state_dict(adapted, stored.weights, adapter_name=name)
    activate(adapted, [*_adapters(adapted, name), name])
    if merge := merge_in(folder):
        act_merged(adapted, name, merge)
    gate(adapted, removed, name)
    return adapted


def _smallest(layers: str | list[str]) -> LoraConfig:
    """Return the smallest adapter of some layers; LoRA begins with an output of zero."""
    return LoraConfig(r=1, lora_alpha=1, lora_dropout=0.0, target_modules=layers)


def _require_own(stored: StoredAdapter | StoredUpdate, wanted: dict[str, torch.Tensor]) -> None:
    """Refuse weights that PEFT would skip in silence, or fill a module with its random start."""
    shapes, given = (
        {name: tuple(tensor.shape) for name, tensor in weights.items()}
        for weights in (wanted, stored.weights)
    )
    if wrong := sorted(n for n in {*shapes, *given} if shapes.get(n) != given.get(n)):
        first = wrong[0]
        raise _of_another_base(
            stored.folder,
            f"{len(wrong)} matrices differ: {first} is "
            f"{given.get(first, 'missing')}, the model's is {shapes.get(first, 'missing')}",
        )


def _of_another_base(folder: Path, found: str) -> ModelError:
    return ModelError(
        f"the adapter in {folder} does not fit the model",
        expected="an adapter that was trained on this base, with the same model.lora_modules",
        found=found.splitlines()[0][:300],
        remedy=AGAIN,
    )


def adapter_state(model: PeftModel, name: str) -> dict[str, torch.Tensor]:
    """Return the weights of one adapter by PEFT's portable names."""
    return {
        k: v.contiguous() for k, v in get_peft_model_state_dict(model, adapter_name=name).items()
    }


def _attach(model: PreTrainedModel | PeftModel, name: str, config: PeftConfig) -> PeftModel:
    if isinstance(model, PeftModel):
        model.add_adapter(name, config)
        adapted = model
    else:
        adapted = get_peft_model(model, config, adapter_name=name)
    add_in_place(adapted)
    return adapted


def _set_active(model: PeftModel, names: list[str]) -> None:
    tuner: Any = model.base_model  # torch declares every submodule as a tensor or a module
    tuner.set_adapter(names)


def _adapters(model: PeftModel, but: str) -> list[str]:
    return [name for name in model.peft_config if name != but]
