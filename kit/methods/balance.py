"""Means by concept over a whole batch, also where it is computed in micro-batches.

With several micro-batches, a first pass without gradient computes M of every forget record of the
batch. Then each micro-batch contributes the value of the whole batch and the gradient of its own
records. The sum of these gradients is that of the whole batch for any differentiable loss of the
means, because a loss depends on the other records through their values alone (gradient caching,
arXiv 2101.06983).
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class WholeBatch:
    """The N forget records of a batch, without gradient."""

    nll: Tensor
    """M, in nats per token, [N]."""
    start: Tensor
    """M(theta_0), in nats per token, [N]."""
    is_person: Tensor
    """1.0 where the record asks for a person, else 0.0, [N]."""
    parts: int
    """How many micro-batches the batch has; the loss of each is divided by it."""


def means_by_concept(
    nll: Tensor, start: Tensor, is_person: Tensor, whole: WholeBatch | None
) -> tuple[Tensor, Tensor]:
    """Return the means of M and of M - M(theta_0) over the records of each concept, [C] each.

    The second has no gradient. A concept without a record in the batch is left out.

    Args:
        nll, start, is_person: of the B records of a micro-batch, [B].
        whole: the batch, or None where the micro-batch is the whole batch.
    """
    if whole is None:
        groups = [mask for mask in _masks(is_person) if mask.any()]
        means = torch.stack([nll[group].mean() for group in groups])
        return means, torch.stack([(nll.detach() - start)[group].mean() for group in groups])
    pairs = zip(_masks(whole.is_person), _masks(is_person), strict=True)
    shares = [(batch, part) for batch, part in pairs if batch.any()]
    means = torch.stack([whole.nll[batch].mean() for batch, _ in shares])
    gained = torch.stack([(whole.nll - whole.start)[batch].mean() for batch, _ in shares])
    own = torch.stack([nll[part].sum() * whole.parts / batch.sum() for batch, part in shares])
    return means + (own - own.detach()), gained


def _masks(is_person: Tensor) -> tuple[Tensor, Tensor]:
    """Return which records ask for a person and which for an event, [B] each."""
    return is_person > 0, is_person == 0
