"""Scores of membership inference: how unlike a record of training is a given answer?

They take the tokens of the reference answer, the end token included. As in open-unlearning, a
HIGHER score says "less likely a record of training". The gradient norm is not among them: it needs
a backward pass, and this table comes from forward passes alone. It has a table of its own
(`kit.metrics.system_tables`).
"""

from collections.abc import Callable, Mapping

import numpy as np

from kit.metrics.definition import GivenTokens

LOWEST = 0.4  # share of the tokens that min-k takes: open-unlearning's configuration for TOFU
LEAST_VARIANCE = 1e-6  # nats squared; open-unlearning's `min_k_plus_plus.py`

Score = Callable[[GivenTokens], float]


def loss(given: GivenTokens) -> float:
    """Return the mean loss of the tokens, in nats (Yeom et al., arXiv 1709.01604)."""
    return -float(given.logprobs.mean())


def zlib_ratio(given: GivenTokens) -> float:
    """Return the mean loss / bytes of the compressed text (Carlini et al., arXiv 2012.07805)."""
    return loss(given) / given.zlib_bytes


def min_k(given: GivenTokens) -> float:
    """Return the mean loss of the least likely 40 % of the tokens (arXiv 2310.16789)."""
    return -_lowest(given.logprobs)


def min_k_plus_plus(given: GivenTokens) -> float:
    """Return min-k of standardised log-probabilities (arXiv 2404.02936).

    Each is (log pi(y) - mean) / deviation, both of log pi(z) under pi. The mean is minus the
    entropy. A deviation below 0.001 nats counts as 0.001.
    """
    deviation = np.sqrt(np.maximum(np.square(given.deviations), LEAST_VARIANCE))
    return -_lowest((given.logprobs + given.entropies) / deviation)


def _lowest(values: np.ndarray) -> float:
    count = max(1, int(len(values) * LOWEST))
    return float(np.sort(values)[:count].mean())


SCORES: Mapping[str, Score] = {
    "loss": loss,
    "zlib": zlib_ratio,
    "min_k": min_k,
    "min_k_plus_plus": min_k_plus_plus,
}
