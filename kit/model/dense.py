"""Small bases keep their 4-bit weights dequantised as well: equal numbers, in less time.

bitsandbytes dequantises a weight in every forward and every backward pass, and multiplies by the
result. Here it does so once. The 4-bit weight stays where it is, and remains the one that is
served, exported and checked.
"""

from functools import partial
from typing import Any

import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit
from torch import Tensor
from torch.nn.functional import linear

# Of all dequantised weights. Larger bases need the memory for activations: a 7B model has 13 GB.
MOST_BYTES = 1 << 30


def keep_dense(model: torch.nn.Module, most_bytes: int = MOST_BYTES) -> bool:
    """Let the 4-bit layers compute with weights that are dequantised once; return whether they do.

    Args:
        model: a frozen base; its layers are changed in place.
        most_bytes: of all dequantised weights; nothing is changed where they take more.
    """
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


def _multiply(layer: Any, x: Tensor) -> Tensor:
    """Return x W^T + b as `Linear4bit.forward` does: in its compute type, in the type of x."""
    bias = None if layer.bias is None else layer.bias.to(layer.compute_dtype)
    product = linear(x.to(layer.compute_dtype), layer.dense, bias)
    return product.to(x.dtype)
