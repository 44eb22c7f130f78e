"""Intervals by bootstrap over people, and paired differences between two systems."""

import hashlib
from dataclasses import dataclass

import numpy as np

from kit.digests import canonical_json

LEVEL = 0.95
FEW_CLUSTERS = 10
FEW_CLUSTERS_NOTE = (
    f"With fewer than {FEW_CLUSTERS} people or events the percentile interval is too narrow: read "
    "it as a lower bound on the uncertainty. An interval of zero width says that all records "
    "agree, not that the value is certain."
)
# Sums of floats differ in the last digits between processors; stored values must not.
DECIMALS = 12


@dataclass(frozen=True)
class Estimate:
    """A mean over `n` answers of `clusters` people; `low` and `high` are None below two people."""

    value: float
    n: int
    clusters: int
    low: float | None
    high: float | None


def cluster_mean(
    values: np.ndarray,
    clusters: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    draws: int,
    key: tuple[object, ...],
) -> Estimate:
    """Return the mean of `values` with a 95 % percentile interval, bootstrapped over clusters.

    Answers about one person rise and fall together, so people are resampled, not answers: each
    draw takes as many clusters as there are, with replacement, and divides the sum of their
    values by the number of their answers.

    Args:
        values: [n] float, no NaN, n >= 1.
        clusters: [n] integer code of each value's person.
        weights: [n] positive weights of a ratio of sums (F1), or None where all weigh the same.
        draws: number of bootstrap draws.
        key: what names this estimate; it seeds the draws, so that an interval depends on nothing
            else that is computed beside it.

    With few clusters the interval is too narrow (`FEW_CLUSTERS_NOTE`); with one there is none.
    """
    if weights is None:
        weights = np.ones(len(values))
    sums, counts = _per_cluster(values, weights, clusters)
    low = high = None
    if len(sums) > 1:
        chosen = _resample(len(sums), draws, key)
        means = sums[chosen].sum(axis=1) / counts[chosen].sum(axis=1)
        low, high = _interval(means)
    value = np.average(values, weights=weights)
    return Estimate(_stored(value), len(values), len(sums), low, high)


def paired_difference(
    values: np.ndarray,
    reference: np.ndarray,
    clusters: np.ndarray,
    *,
    draws: int,
    key: tuple[object, ...],
) -> Estimate:
    """Return the mean of `values - reference` with its 95 % interval.

    Both are [n] and hold one system's value for the same records in the same order. The same
    people are drawn for both, so that what is hard for both systems cancels out.
    """
    return cluster_mean(values - reference, clusters, draws=draws, key=key)


def _per_cluster(
    values: np.ndarray, weights: np.ndarray, clusters: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weighted sum and the weight of each cluster that has any values."""
    _, codes = np.unique(clusters, return_inverse=True)
    return np.bincount(codes, weights=values * weights), np.bincount(codes, weights=weights)


def _resample(clusters: int, draws: int, key: tuple[object, ...]) -> np.ndarray:
    """Return [draws, clusters] indices, uniform with replacement, a function of `key` alone.

    Raw 64-bit draws of PCG64, because numpy keeps them equal between versions, which it does not
    promise for `Generator.integers`. The bias of the multiply-shift is below 2**-20.
    """
    digest = hashlib.sha256(canonical_json([str(part) for part in key])).digest()
    raw = np.random.PCG64(int.from_bytes(digest)).random_raw(draws * clusters)
    return ((raw >> 32) * clusters >> 32).astype(np.intp).reshape(draws, clusters)


def _interval(means: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return _stored(low), _stored(high)


def _stored(value: float) -> float:
    return round(float(value), DECIMALS)
