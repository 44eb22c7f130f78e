"""Hidden states at answer positions; the forward pass ends at the layer that is asked for."""

from typing import Any

import torch
from torch import Tensor

from kit.errors import ModelError
from kit.model.batches import Batch


def layer_at(model: torch.nn.Module, depth: float) -> int:
    """Return the decoder layer (from 0) that ends a share `depth` of all layers, in (0, 1]."""
    return max(1, round(depth * len(decoder_of(model).layers))) - 1


def answer_hidden(model: torch.nn.Module, batch: Batch, layer: int) -> Tensor:
    """Return the output of a decoder layer where answer tokens are predicted, [B, T, d], float32.

    T is the longest answer of the batch with its end token, and d the width of the decoder. As in
    `answer_distribution`, row t is the state that token t is predicted from, shorter answers are
    right-aligned, and `batch.answer_mask` [B, T] says which positions are answers. No later layer
    is computed, nor the head.

    Args:
        layer: from 0; the output is the residual stream, before any final norm.

    Raises:
        ModelError: the decoder has no such layer.
    """
    decoder = decoder_of(model)
    if not 0 <= layer < len(decoder.layers):
        raise ModelError(
            f"the decoder has no layer {layer}",
            expected=f"a number from 0 to {len(decoder.layers) - 1}",
            found=layer,
            remedy="correct the method's option for its layer",
        )
    # What follows the layer is stopped, not the layer itself: recomputation of its activations
    # (gradient checkpointing) then runs it whole.
    following = [*decoder.layers, decoder.norm][layer + 1]
    handle = following.register_forward_pre_hook(_stop, with_kwargs=True)
    length = batch.answer_ids.shape[1]
    try:
        model(**batch.inputs, logits_to_keep=1, use_cache=False)
    except _Reached as reached:
        state = reached.state[:, -length - 1 : -1]
    else:
        raise ModelError(
            f"decoder layer {layer} has no successor that is called with its output",
            expected="a later layer, or a norm, that takes what the layer returns",
            found=type(decoder).__name__,
            remedy="report the model: its decoder is built otherwise than those of other families",
        )
    finally:
        handle.remove()
    return state.to(torch.promote_types(state.dtype, torch.float32))


def mean_square(states: Tensor, mask: Tensor) -> Tensor:
    """Return the mean square of each record's states: over d, then over answer positions, [B].

    Args:
        states: [B, T, d].
        mask: 1 on answer positions, 0 on padding, [B, T].
    """
    return (states.square().mean(dim=-1) * mask).sum(dim=1) / mask.sum(dim=1)


class _Reached(Exception):
    """The pass has computed what was asked for."""

    def __init__(self, state: Tensor) -> None:
        super().__init__()
        self.state = state


def _stop(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    raise _Reached(args[0] if args else kwargs["hidden_states"])


def decoder_of(model: torch.nn.Module) -> Any:
    """Return the decoder of a model's language model, with or without adapters."""
    base: Any = model  # torch declares every attribute as a tensor or a module
    if hasattr(base, "get_base_model"):
        base = base.get_base_model()
    return base.get_decoder()
