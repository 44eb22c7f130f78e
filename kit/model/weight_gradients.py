"""How large the gradient of one record's loss is, by the weights that LoRA adapts.

The base is frozen and quantised, so no optimiser could ask for these gradients. They follow from
what flows through a linear layer: with inputs x_s and gradients g_s of its outputs, the gradient by
its weight is sum_s g_s x_s^T, over the positions s of the record. The weight is the effective one,
that of the base with all adapters that are switched on: it is the same matrix for every system,
whatever its adapters are.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from kit.errors import ModelError
from kit.model.batches import Batch
from kit.model.likelihood import answer_distribution, mean_nll


def gradient_norms(model: Any, batch: Batch, modules: str) -> Tensor:
    """Return the gradient norm of each record's mean NLL of its answer, [B], in nats.

    It is the mean over the adapted linear layers of the L2 norm of the gradient by the weight of
    each, as open-unlearning has it for all parameters of a model (locuslab/open-unlearning,
    `src/evals/metrics/mia/gradnorm.py`; the attack is that of arXiv 2402.17012). That only the
    adapted layers count is the kit's own: all others are frozen in every system.

    One backward pass serves all records of the batch, because no record's loss depends on another.

    Args:
        modules: regular expression on the whole path of the adapted linear layers.

    Raises:
        ModelError: it matches no layer.
    """
    norms: list[Tensor] = []
    with torch.enable_grad(), _observed(model, modules, len(batch.record_ids), norms):
        loss = mean_nll(answer_distribution(model, batch), batch).sum()
        loss.backward()
    return torch.stack(norms).mean(dim=0)


@contextmanager
def _observed(model: Any, modules: str, size: int, norms: list[Tensor]) -> Iterator[None]:
    """Append the norms [size] of each layer's gradient to `norms` in every backward pass."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    layers = [layer for path, layer in base.named_modules() if re.fullmatch(modules, path)]
    if not layers:
        raise ModelError(
            "model.lora_modules matches no module",
            expected=modules,
            found="no module of that path",
            remedy="write an expression for the whole path of the language model's linear layers: "
            "see kit/model/README.md",
        )

    def note(layer: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        inputs = args[0].detach()
        output.register_hook(lambda gradient: norms.append(_norms(inputs, gradient, size)))

    # Nothing is trained, so the graph begins at the embeddings. A model may write the features of
    # an image into them, which it may not do to a leaf of the graph.
    handles = [base.get_input_embeddings().register_forward_hook(_begin)]
    handles += [layer.register_forward_hook(note) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _begin(layer: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
    return output.requires_grad_().clone()


def _norms(inputs: Tensor, gradients: Tensor, size: int) -> Tensor:
    """Return the norm of sum_s g_s x_s^T of each record, [size], in float32 or wider."""
    wide = torch.promote_types(inputs.dtype, torch.float32)
    x, g = (each.reshape(size, -1, each.shape[-1]).to(wide) for each in (inputs, gradients))
    # One record at a time: the gradient has the size of the weight.
    return torch.stack([(g[n].T @ x[n]).norm() for n in range(size)])
