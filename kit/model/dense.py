"""Small bases keep their 4-bit weights dequantised as well: equal numbers, in less time.

bitsandbytes dequantises a weight in every forward and every backward pass, and multiplies by the
result. Here it does so once. The 4-bit weight stays where it is, and remains the one that is
served, exported and checked.

Two more things are cheaper on such a base. Frozen adapters are added to the dequantised weights
instead of being computed beside them. And a LoRA layer adds its product in place, where PEFT makes
three more passes over the layer's output. Both are the same sums in another order.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor
from torch.nn.functional import linear

from kit.model import sharding
from kit.model.combine import merge
from kit.model.merged import MergeIn, no_merge
from kit.model.neurons import read_neurons

# Of all dequantised weights. Larger bases need the memory for activations: a 7B model has 13 GB.
MOST_BYTES = 1 << 30


def keep_dense(model: torch.nn.Module, most_bytes: int = MOST_BYTES) -> bool:
    """Let the 4-bit layers compute with weights that are dequantised once; return whether they do.

    Adapters that were added to these weights (`add_below`) are gone afterwards.

    Args:
        model: a frozen base; its layers are changed in place.
        most_bytes: of all dequantised weights; nothing is changed where they take more, nor on a
            base that several processes share.
    """
    if sharding.size() > 1:
        return False
    layers = [module for module in model.modules() if isinstance(module, Linear4bit)]
    needed = sum(e.in_features * e.out_features * e.compute_dtype.itemsize for e in layers)
    if needed > most_bytes:
        return False
    for layer in layers:
        packed: Any = layer.weight  # a Params4bit
        weight = dequantize_4bit(packed.data, packed.quant_state).to(layer.compute_dtype)
        layer.register_buffer("dense", weight, persistent=False)
        layer.forward = partial(_multiply, layer)  # type: ignore[method-assign]
    return True


def add_below(base: torch.nn.Module, folders: Sequence[Path], merge_in: MergeIn = no_merge) -> bool:
    """Add frozen adapters to the weights that the layers compute with; return whether it was done.

    The sum is the one that is served (`kit.model.combine.merge`). It is not done where the base
    keeps no dequantised weights, or where an adapter removes neurons: these are to stay at zero
    for the adapter that is trained above as well.

    Args:
        base: without adapters of PEFT; changed in place until `keep_dense` is called again.
        folders: of the adapters.
        merge_in: gives the rule of an artifact of several adapters.

    Raises:
        ModelError: an adapter is damaged, or it was trained on another base.
    """
    layers = {f"{name}.weight": m for name, m in base.named_modules() if _is_dense(m)}
    if not layers or any(read_neurons(folder) for folder in folders):
        return False
    weights = {name: layer.dense for name, layer in layers.items()}
    for name, weight in merge(folders, weights, merge_in).items():
        layers[name].dense = weight
    return True


def add_in_place(model: PeftModel) -> None:
    """Let the LoRA layers above dequantised weights add their products in place."""
    for layer in model.modules():
        if isinstance(layer, BaseTunerLayer) and _is_dense(layer.get_base_layer()):
            layer.forward = partial(_adapted, layer, type(layer).forward)


def _is_dense(module: Any) -> bool:
    return "dense" in getattr(module, "_buffers", ())


def _adapted(layer: Any, forward: Callable[[Any, Tensor], Tensor], x: Tensor) -> Tensor:
    """Return x W^T + sum_i s_i (x A_i^T) B_i^T of the active adapters, [..., out].

    Where adapters are of another type than the input, PEFT computes it (`forward`).
    """
    names = [n for n in layer.active_adapters if n in layer.lora_A and not layer.disable_adapters]
    if any(layer.lora_A[name].weight.dtype != x.dtype for name in names):
        return forward(layer, x)
    rows = x.reshape(-1, x.shape[-1])
    output: Tensor = layer.base_layer(rows)
    for name in names:
        above = layer.lora_B[name].weight
        output.addmm_(layer.lora_A[name](rows), above.T, alpha=layer.scaling[name])
    return output.view(*x.shape[:-1], -1)


def _multiply(layer: Any, x: Tensor) -> Tensor:
    """Return x W^T + b as `Linear4bit.forward` does: in its compute type, in the type of x."""
    bias = None if layer.bias is None else layer.bias.to(layer.compute_dtype)
    product = linear(x.to(layer.compute_dtype), layer.dense, bias)
    return product.to(x.dtype)
