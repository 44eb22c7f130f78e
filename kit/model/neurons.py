"""Neurons that are removed from the language model's MLPs: gated off in a model, zero in weights.

A neuron is an input of an MLP's last linear layer, `down_proj`. With that input at zero, its rows
of `gate_proj` and `up_proj` have no effect either, so a list of numbers says everything. Removing
neurons is not a LoRA: the zeros hold for the sum of the base's weights and all adapters.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from kit.errors import ModelError
from kit.model.adapter_files import AGAIN
from kit.model.batches import Batch
from kit.model.hidden import decoder_of
from kit.model.likelihood import answer_distribution
from kit.model.weights import as_storage_errors
from kit.result.layout import NEURONS
from kit.result.neurons import Removed, neurons_json, parse_neurons

LAST = ".mlp.down_proj"  # of a decoder layer, in every family


def neuron_layers(model: nn.Module) -> dict[str, Any]:
    """Return the last linear layer of every MLP of the decoder, by its path in the base."""
    base: Any = model.get_base_model() if isinstance(model, PeftModel) else model
    inside = {id(module) for module in decoder_of(model).modules()}
    named = base.named_modules()
    return {path: m for path, m in named if path.endswith(LAST) and id(m) in inside}


def answer_activations(model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    """Return log pi [B, T, V] of a batch, and the activations of neurons that led to it.

    The activations are those of each layer of `neuron_layers` at all positions, [B, P + T,
    neurons], in the order of layers. Where gradients are on, both are of one graph.
    """
    seen: dict[str, Tensor] = {}

    def note(path: str) -> Any:
        def hook(layer: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            state = args[0]
            if torch.is_grad_enabled() and not state.requires_grad:
                state = state.detach().requires_grad_()  # nothing before it has a gradient
            seen[path] = state
            return (state, *args[1:])

        return hook

    layers = neuron_layers(model).items()
    handles = [layer.register_forward_pre_hook(note(path)) for path, layer in layers]
    try:
        return answer_distribution(model, batch), seen
    finally:
        for handle in handles:
            handle.remove()


def gate(model: PeftModel, removed: Removed, adapter: str) -> None:
    """Switch neurons off wherever the adapter of that name is active.

    The gates sit on PEFT's layers and go with them (`unload`).

    Raises:
        ModelError: a layer is not there, has no adapter, or has fewer inputs.
    """
    base: Any = model.get_base_model()
    layers = {path: m for path, m in base.named_modules() if isinstance(m, BaseTunerLayer)}
    for path, numbers in removed.items():
        if path not in layers:
            raise _of_another_base(f"{path} is no layer that model.lora_modules names")
        layer: Any = layers[path]
        weight: Any = layer.get_base_layer().weight
        off = _mask(path, numbers, int(layer.in_features)).to(weight.device)
        layer.register_forward_pre_hook(_Gate(off, adapter))


class _Gate:
    """A hook before a layer that sets inputs to zero while an adapter is active."""

    def __init__(self, off: Tensor, adapter: str) -> None:
        self._off, self._adapter = off, adapter

    def __call__(self, layer: Any, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        if layer.disable_adapters or self._adapter not in layer.active_adapters:
            return args
        return (args[0].masked_fill(self._off, 0), *args[1:])


def without_columns(weight: Tensor, path: str, numbers: Sequence[int]) -> Tensor:
    """Return a copy of a layer's weight, [out, in], whose columns `numbers` are zero.

    Raises:
        ModelError: it has fewer columns.
    """
    return weight.masked_fill(_mask(path, numbers, weight.shape[1]).to(weight.device), 0)


def save_neurons(removed: Removed, folder: Path) -> None:
    """Write which neurons are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    with as_storage_errors(folder):
        (folder / NEURONS).write_text(neurons_json(removed), encoding="utf-8")


def read_neurons(folder: Path) -> Removed:
    """Return which neurons an artifact removes; empty where it has no such file.

    Raises:
        ModelError: the file is damaged.
    """
    path = folder / NEURONS
    if not path.is_file():
        return {}
    try:
        return parse_neurons(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path} is damaged",
            expected="a JSON object: path of a layer -> ascending numbers of its inputs",
            found=str(error).splitlines()[0][:300],
            remedy=AGAIN,
        ) from None


def _mask(path: str, numbers: Sequence[int], width: int) -> Tensor:
    if numbers[-1] >= width:
        raise _of_another_base(f"neuron {numbers[-1]} of {path}, which has {width}")
    off = torch.zeros(width, dtype=torch.bool)
    off[list(numbers)] = True
    return off


def _of_another_base(found: str) -> ModelError:
    return ModelError(
        "the neurons to remove are not those of this model",
        expected="neurons of the language model's MLPs, in layers that model.lora_modules names",
        found=found,
        remedy=AGAIN,
    )
