"""Several LoRA adapters in one file: which of them acts while they are trained, and what they add.

kit/model/merged.py says how they lie in the file, and what their merged update is.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor
from torch.nn.functional import linear

from kit.model.merged import Merge


@contextmanager
def alone(model: PeftModel, name: str, adapters: Sequence[str], which: str) -> Iterator[None]:
    """Let one of the adapters in `name` act alone: the ranks of the others give zeros.

    The backward pass belongs into the context, too: it may compute activations again.
    """
    place, count = adapters.index(which), len(adapters)

    def others_off(layer: Any, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
        parts = output.chunk(count, dim=-1)
        return torch.cat([p if i == place else p * 0 for i, p in enumerate(parts)], dim=-1)

    with ExitStack() as stack:
        for layer in layers_with(model, name):
            stack.callback(layer.lora_A[name].register_forward_hook(others_off).remove)
        yield


def act_merged(model: PeftModel, name: str, merge: Merge) -> None:
    """Replace what the adapters in `name` add to a layer by what their merged update adds.

    It is switched on and off as they are, and goes with PEFT's layers (`unload`).
    """
    for layer in layers_with(model, name):
        scale, layer.scaling[name] = layer.scaling[name], 0.0
        layer.register_forward_hook(_Merged(name, merge, float(scale)))


class _Merged:
    """A hook behind a layer that adds the merged update's output while the adapters are active."""

    def __init__(self, name: str, merge: Merge, scale: float) -> None:
        self._name, self._merge, self._scale = name, merge, scale

    def __call__(self, layer: Any, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
        if layer.disable_adapters or self._name not in layer.active_adapters:
            return output
        below, above = layer.lora_A[self._name].weight, layer.lora_B[self._name].weight
        with torch.no_grad():
            update = self._merge.update(below, above, self._scale)
        return output + linear(args[0], update.to(args[0].dtype)).to(output.dtype)


def merged_updates(model: PeftModel, name: str, merge: Merge) -> Iterator[Tensor]:
    """Yield the merged update of each layer that has the adapters in `name`, [out, in]."""
    for layer in layers_with(model, name):
        below, above = layer.lora_A[name].weight.detach(), layer.lora_B[name].weight.detach()
        yield merge.update(below, above, float(layer.scaling[name]))


def layers_with(model: PeftModel, name: str) -> list[Any]:
    """Return the layers that have the adapter `name`."""
    found: list[Any] = [m for m in model.modules() if isinstance(m, BaseTunerLayer)]
    return [layer for layer in found if name in layer.lora_A]
