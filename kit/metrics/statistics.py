"""Intervals by bootstrap over people, paired differences, and bounds that a verdict can rest on."""

import hashlib
import math
from collections.abc import Iterator
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
# Each bound of a verdict errs in 5 of 100 runs: together an interval of 90 %, as a TOST needs.
VERDICT_ERROR = 0.05
VERDICT_DRAWS = 10_000
VERDICT_DECIMALS = 6
CHUNK = 32  # clusters drawn at once: memory does not grow with them, nor does a product vanish
RESAMPLED = 1 << 20  # indices drawn at once, some 40 MB: memory grows with clusters, not draws
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
        means = [
            sums[chosen].sum(axis=1) / counts[chosen].sum(axis=1)
            for chosen in _resample(len(sums), draws, key)
        ]
        low, high = _interval(np.concatenate(means))
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


def bounded_mean(
    values: np.ndarray,
    clusters: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    limits: tuple[float, float],
    key: tuple[object, ...],
    draws: int = VERDICT_DRAWS,
) -> Estimate:
    """Return the mean with a lower and an upper 95 % bound that hold for few clusters as well.

    The percentile interval of `cluster_mean` has no width where all people agree, and four people
    who agree are no proof. Here one cluster more is resampled, as large as the largest, that has
    the worst value there is (the best one for the upper bound), and clusters are drawn with
    Dirichlet weights (the Bayesian bootstrap). For clusters of equal size this is the bound of
    Gaffke (2005), see Learned-Miller and Thomas (arXiv 1905.06208): Clopper-Pearson's where a
    cluster is wholly right or wholly wrong, so k that agree leave 0.05 ** (1 / k) of the range, and
    no narrower than the values' spread asks for elsewhere. That it never errs more often than
    5 % is proved for 0/1 and otherwise a conjecture without a known exception. Clusters whose size
    goes with their values are one: where a few large ones are the wrong ones, samples without any
    of them are common, and the bound then errs far more often.

    Args:
        values, clusters, weights: as for `cluster_mean`.
        limits: least and largest value that one answer can have.
        key: what names this estimate; it seeds the draws.
        draws: number of draws.
    """
    if weights is None:
        weights = np.ones(len(values))
    sums, counts = _per_cluster(values, weights, clusters)
    total, size, last = _dirichlet_sums(sums, counts, draws, key)
    last = last * counts.max()
    low = np.quantile((total + last * limits[0]) / (size + last), VERDICT_ERROR)
    high = np.quantile((total + last * limits[1]) / (size + last), 1 - VERDICT_ERROR)
    value = np.average(values, weights=weights)
    low, value, high = (round(float(x), VERDICT_DECIMALS) for x in (low, value, high))
    return Estimate(value, len(values), len(sums), min(low, value), max(high, value))


def _dirichlet_sums(
    sums: np.ndarray, counts: np.ndarray, draws: int, key: tuple[object, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return [draws] weighted sums of `sums` and of `counts`, and the weight of one cluster more.

    Weights are exponential: divided by their sum, as every ratio of these sums does, they are a
    draw of Dirichlet(1, ..., 1). Equal clusters share one logarithm, of the product of their draws.
    """
    stream = _stream(key)
    kinds, sizes = np.unique(np.stack([sums, counts]), axis=1, return_counts=True)
    total, size = np.zeros(draws), np.zeros(draws)
    for (value, count), members in zip(kinds.T, sizes.tolist(), strict=True):
        for start in range(0, members, CHUNK):
            weight = _gamma(stream, draws, min(CHUNK, members - start))
            total += weight * value
            size += weight * count
    return total, size, _gamma(stream, draws, 1)


def _gamma(stream: np.random.PCG64, draws: int, terms: int) -> np.ndarray:
    """Return [draws] sums of `terms` standard exponential draws, from raw bits as `_resample`."""
    raw = np.asarray(stream.random_raw(draws * terms)).reshape(terms, draws)
    raw >>= np.uint64(11)  # in place: these are the largest arrays of a verification
    uniform: np.ndarray = raw + 0.5
    uniform *= 2.0**-53
    total: np.ndarray = -np.log(uniform.prod(axis=0))
    return total


def student_quantile(probability: float, freedom: int) -> float:
    """Return the quantile of Student's t with `freedom` >= 1 degrees of freedom, by bisection.

    Not scipy's: that would add 126 MB to the slim environment, for this one number. Source of the
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
    """Return P(T <= t) for t >= 0 and a whole number of degrees of freedom."""
    angle = math.atan2(t, math.sqrt(freedom))
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    series = term if freedom > 1 else 0.0
    for place in range(2 + odd, freedom - 1, 2):
        term *= math.cos(angle) ** 2 * (place - 1) / place
        series += term
    inside = 2 / math.pi * (angle + math.sin(angle) * series) if odd else math.sin(angle) * series
    return 0.5 + inside / 2


def _per_cluster(
    values: np.ndarray, weights: np.ndarray, clusters: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weighted sum and the weight of each cluster that has any values."""
    _, codes = np.unique(clusters, return_inverse=True)
    return np.bincount(codes, weights=values * weights), np.bincount(codes, weights=weights)


def _resample(clusters: int, draws: int, key: tuple[object, ...]) -> Iterator[np.ndarray]:
    """Yield [some draws, clusters] indices, uniform with replacement, a function of `key` alone.

    How many draws come at once changes none of them: they are taken from one stream in order.

    Raw 64-bit draws of PCG64, because numpy keeps them equal between versions, which it does not
    promise for `Generator.integers`. The bias of the multiply-shift is below 2**-20.
    """
    stream = _stream(key)
    at_once = max(1, RESAMPLED // clusters)
    for start in range(0, draws, at_once):
        some = min(at_once, draws - start)
        raw = np.asarray(stream.random_raw(some * clusters))
        yield ((raw >> 32) * clusters >> 32).astype(np.intp).reshape(some, clusters)


def _stream(key: tuple[object, ...]) -> np.random.PCG64:
    digest = hashlib.sha256(canonical_json([str(part) for part in key])).digest()
    return np.random.PCG64(int.from_bytes(digest))


def _interval(means: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return _stored(low), _stored(high)


def _stored(value: float) -> float:
    return round(float(value), DECIMALS)
