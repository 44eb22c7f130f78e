"""Round weights to few bits and back: what a quantised copy of a merged model computes with."""

import torch
from bitsandbytes.functional import dequantize_4bit, quantize_4bit
from torch import Tensor

from kit.model.families import OUTSIDE_NAMES

NF4_BLOCK = 64  # weights that share a scale, as in the kit's 4-bit base


def is_rounded(name: str, weight: Tensor) -> bool:
    """Return whether a weight of a checkpoint is a matrix of the language model's layers.

    These are the weights that the 4-bit base quantises, and that adapters change.
    """
    parts = name.split(".")
    inside = "layers" in parts and OUTSIDE_NAMES.isdisjoint(parts)
    return inside and name.endswith(".weight") and weight.dim() == 2


def round_nf4(weight: Tensor) -> Tensor:
    """Return a weight after NF4 with double quantisation (QLoRA, arXiv 2305.14314), and back."""
    whole = weight.detach().to(torch.float32).contiguous()
    data, state = quantize_4bit(
        whole, blocksize=NF4_BLOCK, compress_statistics=True, quant_type="nf4"
    )
    return dequantize_4bit(data, state).reshape(weight.shape).to(weight.dtype)


def round_int(weight: Tensor, bits: int, group: int) -> Tensor:
    """Return a weight [outputs, inputs] after symmetric rounding to whole numbers, and back.

    Every `group` inputs of an output share a scale: their largest magnitude is the largest whole
    number, 2**(bits - 1) - 1. Rounding is to the nearest, ties to even.

    Args:
        bits: of a number, 2 to 8.
        group: inputs with one scale; the last group of a row may be shorter. 0: the whole row.
    """
    largest = 2 ** (bits - 1) - 1
    parts = []
    for part in weight.detach().to(torch.float32).split(group or weight.shape[1], dim=1):
        scale = part.abs().amax(dim=1, keepdim=True) / largest
        steps = torch.where(scale > 0, part / scale, torch.zeros_like(part)).round()
        parts.append(steps.clamp(-largest, largest) * scale)
    return torch.cat(parts, dim=1).to(weight.dtype)
