"""Means over clusters with their uncertainty: bounds that hold for few clusters, and a bootstrap.

`kit.metrics.intervals` decides which of them a report prints.
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kit.digests import canonical_json

CONFIDENCE_LEVEL = 0.95
# Each bound of a verdict is wrong in 5 of 100 runs: together a 90 % interval, as TOST needs.
VERDICT_ERROR = 0.05
VERDICT_DRAWS = 10_000
VERDICT_DECIMALS = 6
CLUSTERS_PER_CHUNK = 32  # bounds the memory, and keeps the product of draws above 0
INDICES_PER_CHUNK = 1 << 20  # about 40 MB: memory grows with clusters, not with draws
# Sums of floats differ in the last digits between processors; stored values must not.
STORED_DECIMALS = 12


@dataclass(frozen=True)
class Estimate:
    """A mean over `n` answers in `clusters` clusters; no bounds (None) below two clusters."""

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

    Answers about one person are right or wrong together, so clusters are resampled, not answers.
    Each draw takes as many clusters as there are, with replacement, and divides the sum of their
    values by the number of their answers.

    With few clusters the interval is too narrow; with one there is none.

    Args:
        values: [n] float, no NaN, n >= 1.
        clusters: [n] integer code of each value's cluster, a person for example.
        weights: [n] positive weights of a ratio of sums (F1), or None for equal weights.
        draws: number of bootstrap draws.
        key: the name of this estimate. It seeds the draws, so that an interval does not depend on
            what else is computed.
    """
    if weights is None:
        weights = np.ones(len(values))
    sums, counts = per_cluster(values, weights, clusters)
    low = high = None
    if len(sums) > 1:
        means = [
            sums[chosen].sum(axis=1) / counts[chosen].sum(axis=1)
            for chosen in _resample(len(sums), draws, key)
        ]
        low, high = _interval(np.concatenate(means))
    value = np.average(values, weights=weights)
    return Estimate(_stored(value), len(values), len(sums), low, high)


def bounded_mean(
    values: np.ndarray,
    clusters: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    limits: tuple[float, float],
    key: tuple[object, ...],
    draws: int = VERDICT_DRAWS,
    error: float = VERDICT_ERROR,
) -> Estimate:
    """Return the mean with a lower and an upper bound that hold for few clusters as well.

    The percentile interval of `cluster_mean` has zero width if all clusters agree, but four people
    who agree prove little. Here one extra cluster is added, as large as the largest, with the worst
    possible value (for the upper bound: the best), and clusters are drawn with Dirichlet weights
    (the Bayesian bootstrap). For clusters of equal size this is the bound of Gaffke (2005), see
    Learned-Miller and Thomas (arXiv 1905.06208). If every cluster is entirely right or entirely
    wrong, it equals the bound of Clopper and Pearson: k clusters that agree leave 1 - error **
    (1 / k) of the range. Otherwise it is at least as wide as the spread of the values requires.

    That each bound is wrong with a probability of at most `error` is proved for 0/1 values and
    conjectured otherwise; tests/bench/coverage.py measures it. It fails if cluster size correlates
    with value (`kit.metrics.cluster_sizes`): if only a few large clusters are wrong, many samples
    miss them all, and the bound is wrong far more often.

    Args:
        values, clusters, weights: as for `cluster_mean`.
        limits: smallest and largest value that one answer can have.
        key: the name of this estimate; it seeds the draws.
        draws: number of draws.
        error: probability with which each bound may be wrong.
    """
    if weights is None:
        weights = np.ones(len(values))
    sums, counts = per_cluster(values, weights, clusters)
    kinds, members = kinds_of(sums, counts)
    low, high = bounds(kinds, members, limits=limits, error=error, draws=draws, key=key)
    value = round(float(np.average(values, weights=weights)), VERDICT_DECIMALS)
    return Estimate(value, len(values), len(sums), min(low, value), max(high, value))


def kinds_of(sums: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the different (sum, count) of clusters as [kinds, 2], and how many have each."""
    kinds, members = np.unique(np.stack([sums, counts]), axis=1, return_counts=True)
    return np.ascontiguousarray(kinds.T), members


def bounds(
    kinds: np.ndarray,
    members: np.ndarray,
    *,
    limits: tuple[float, float],
    error: float,
    draws: int,
    key: tuple[object, ...],
) -> tuple[float, float]:
    """Return the two bounds of `bounded_mean`; `kinds` and `members` are as from `kinds_of`."""
    total, size, last = _dirichlet_sums(kinds, members, draws, key)
    last = last * kinds[:, 1].max()
    low = np.quantile((total + last * limits[0]) / (size + last), error)
    high = np.quantile((total + last * limits[1]) / (size + last), 1 - error)
    return round(float(low), VERDICT_DECIMALS), round(float(high), VERDICT_DECIMALS)


def _dirichlet_sums(
    kinds: np.ndarray, members: np.ndarray, draws: int, key: tuple[object, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return [draws] weighted sums of values and of counts, and the weights of one extra cluster.

    The weights are exponential. Divided by their sum, as in every ratio of these sums, they are a
    draw of Dirichlet(1, ..., 1). Equal clusters share one logarithm, that of the product of their
    draws.
    """
    stream = generator(key)
    total, size = np.zeros(draws), np.zeros(draws)
    for (value, count), equal in zip(kinds, members.tolist(), strict=True):
        for start in range(0, equal, CLUSTERS_PER_CHUNK):
            weight = _exponential_sums(stream, draws, min(CLUSTERS_PER_CHUNK, equal - start))
            total += weight * value
            size += weight * count
    return total, size, _exponential_sums(stream, draws, 1)


def _exponential_sums(stream: np.random.PCG64, draws: int, terms: int) -> np.ndarray:
    """Return [draws] sums of `terms` standard exponential draws, from raw bits as `_resample`."""
    raw = np.asarray(stream.random_raw(draws * terms)).reshape(terms, draws)
    raw >>= np.uint64(11)  # in place: these are the largest arrays of a verification
    uniform: np.ndarray = raw + 0.5
    uniform *= 2.0**-53
    total: np.ndarray = -np.log(uniform.prod(axis=0))
    return total


def student_quantile(probability: float, freedom: int) -> float:
    """Return the quantile of Student's t with `freedom` >= 1 degrees of freedom, by bisection.

    scipy has it, but would add 126 MB to the slim environment for this one number. Source of the
    distribution function: Abramowitz and Stegun 26.7.3 and 26.7.4.
    """
    low, high = 0.0, 1e6
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (
            (middle, high)
            if _student_cdf(middle, freedom) < max(probability, 1 - probability)
            else (low, middle)
        )
    return low if probability >= 0.5 else -low


def _student_cdf(t: float, freedom: int) -> float:
    """Return P(T <= t) for t >= 0 and an integer number of degrees of freedom."""
    angle = math.atan2(t, math.sqrt(freedom))
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    series = term if freedom > 1 else 0.0
    for place in range(2 + odd, freedom - 1, 2):
        term *= math.cos(angle) ** 2 * (place - 1) / place
        series += term
    inside = 2 / math.pi * (angle + math.sin(angle) * series) if odd else math.sin(angle) * series
    return 0.5 + inside / 2


def per_cluster(
    values: np.ndarray, weights: np.ndarray, clusters: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weighted sum and the weight of each cluster that has any values."""
    _, codes = np.unique(clusters, return_inverse=True)
    return np.bincount(codes, weights=values * weights), np.bincount(codes, weights=weights)


def _resample(clusters: int, draws: int, key: tuple[object, ...]) -> Iterator[np.ndarray]:
    """Yield [some draws, clusters] indices, uniform with replacement; they depend only on `key`.

    The size of the chunks does not change the draws: they are taken from one generator in order.

    The indices are computed from raw 64-bit draws of PCG64. numpy keeps those equal between
    versions, which it does not promise for `Generator.integers`. The bias of the multiply-shift is
    below 2**-20.
    """
    stream = generator(key)
    at_once = max(1, INDICES_PER_CHUNK // clusters)
    for start in range(0, draws, at_once):
        some = min(at_once, draws - start)
        raw = np.asarray(stream.random_raw(some * clusters))
        yield ((raw >> 32) * clusters >> 32).astype(np.intp).reshape(some, clusters)


def generator(key: tuple[object, ...]) -> np.random.PCG64:
    digest = hashlib.sha256(canonical_json([str(part) for part in key])).digest()
    return np.random.PCG64(int.from_bytes(digest))


def _interval(means: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(means, [(1 - CONFIDENCE_LEVEL) / 2, (1 + CONFIDENCE_LEVEL) / 2])
    return _stored(low), _stored(high)


def _stored(value: float) -> float:
    return round(float(value), STORED_DECIMALS)
