"""What is kept of distributions over the vocabulary: a few numbers for each token of an answer."""

import math
from typing import NamedTuple

import torch
from torch import Tensor


class TokenStatistics(NamedTuple):
    """Four numbers for each token, [B, T] each; on padding they mean nothing."""

    logprob: Tensor
    """log pi of the given token, in nats."""
    rank: Tensor
    """1 + the number of likelier tokens, int64. Of equally likely ones the lower id is first, as
    for argmax: rank 1 is an argmax hit."""
    entropy: Tensor
    """-sum_z pi(z) log pi(z), in nats; its negative is the mean of log pi under pi."""
    deviation: Tensor
    """Standard deviation of log pi under pi, in nats."""


def token_statistics(distribution: Tensor, ids: Tensor) -> TokenStatistics:
    """Return the statistics of the tokens `ids`, [B, T], under log-probabilities [B, T, V].

    Positions are taken one by one, because each needs several copies of its distribution.
    """
    found = [_of_position(distribution[:, place], ids[:, place]) for place in range(ids.shape[1])]
    return TokenStatistics(*(torch.stack(each, dim=1) for each in zip(*found, strict=True)))


def _of_position(logprobs: Tensor, ids: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the four numbers of one position, [B] each, of log-probabilities [B, V]."""
    own = logprobs.gather(-1, ids.unsqueeze(-1))
    places = torch.arange(logprobs.shape[-1], device=ids.device)
    before = (logprobs > own) | ((logprobs == own) & (places < ids.unsqueeze(-1)))
    weights = logprobs.exp()
    # A token with probability 0 has the logarithm -inf, and 0 times that is no number.
    known = torch.where(weights > 0, logprobs, torch.zeros_like(logprobs))
    mean = (weights * known).sum(dim=-1)
    # Around the mean: the difference of two large squares would lose the digits of a small one.
    variance = (weights * (known - mean.unsqueeze(-1)).square()).sum(dim=-1)
    return own.squeeze(-1), before.sum(dim=-1) + 1, -mean, variance.sqrt()


class Apart(NamedTuple):
    """How far two distributions are apart at each token, [B, T] each."""

    divergence: Tensor
    """Jensen-Shannon divergence in bits, 0 to 1."""
    distance: Tensor
    """L2 distance of the two vectors of probabilities, 0 to sqrt(2)."""


def apart(left: Tensor, right: Tensor) -> Apart:
    """Return how far two models' distributions are apart, log-probabilities [B, T, V] each."""
    pairs = zip(left.unbind(dim=1), right.unbind(dim=1), strict=True)
    found = [_apart_at(*pair) for pair in pairs]
    return Apart(*(torch.stack(each, dim=1) for each in zip(*found, strict=True)))


def _apart_at(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """Return both numbers of one position, [B] each, of log-probabilities [B, V]."""
    middle = torch.logaddexp(left, right) - math.log(2)
    bits = torch.zeros_like(left[:, 0])
    for logprobs in (left, right):
        weights = logprobs.exp()
        terms = torch.where(weights > 0, weights * (logprobs - middle), torch.zeros_like(weights))
        bits = bits + terms.sum(dim=-1) / (2 * math.log(2))
    return bits.clamp(0, 1), (left.exp() - right.exp()).norm(dim=-1)
