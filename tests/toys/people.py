"""People whose answers are drawn from known rates, and how often an interval contains the truth."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from kit.metrics.intervals import DIFFERENCES, SHARES, Intervals
from kit.metrics.statistics import student_quantile

EQUAL, UNEQUAL = "15", "8-40"  # answers about each person
PRINTED = Intervals(1000, 0)
PERCENTILE = Intervals(1000, 0, version=1)
Interval = tuple[float, float]
Sample = tuple[np.ndarray, np.ndarray]  # values and clusters, both [answers]
Method = Callable[[np.ndarray, np.ndarray], Interval]


def sizes(rng: np.random.Generator, clusters: int, how: str) -> np.ndarray:
    """Return [clusters] numbers of answers, which say nothing of how they are answered."""
    return np.full(clusters, 15) if how == EQUAL else rng.integers(8, 41, clusters)


def rates(rng: np.random.Generator, clusters: int, rate: float, alike: float) -> np.ndarray:
    """Return [clusters] rates with mean `rate` and intra-cluster correlation `alike`."""
    if alike == 1:
        return (rng.random(clusters) < rate) * 1.0
    spread = 1 / alike - 1
    return rng.beta(rate * spread, (1 - rate) * spread, clusters)


def people(rng: np.random.Generator, clusters: int, how: str, rate: float, alike: float) -> Sample:
    """Draw 0/1 answers about people."""
    who = np.repeat(np.arange(clusters), sizes(rng, clusters, how))
    return (rng.random(len(who)) < rates(rng, clusters, rate, alike)[who]) * 1.0, who


def printed(
    values: np.ndarray,
    who: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    intervals: Intervals = PRINTED,
    limits: Interval = SHARES,
) -> Interval:
    """Return the interval that a report prints, or that of an earlier version.

    Fewer than two clusters have none; what is known then are the limits.
    """
    found = intervals.mean(values, who, weights, limits=limits, key=("coverage",))
    low, high = found.low, found.high
    return limits if low is None or high is None else (low, high)


difference = partial(printed, limits=DIFFERENCES)


def _spread(values: np.ndarray, who: np.ndarray) -> tuple[float, float, int]:
    """Return mean, standard error (ratio estimator) and number of clusters."""
    sums, counts = np.bincount(who, weights=values), np.bincount(who)
    mean = float(sums.sum() / counts.sum())
    rest = (sums - mean * counts) / counts.mean()
    clusters = len(counts)
    return mean, math.sqrt(float((rest**2).sum()) / (clusters * (clusters - 1))), clusters


def student(values: np.ndarray, who: np.ndarray) -> Interval:
    """Return mean -+ t times the standard error over clusters."""
    mean, error, clusters = _spread(values, who)
    side = student_quantile(0.975, clusters - 1) * error
    return mean - side, mean + side


def wilson(values: np.ndarray, who: np.ndarray) -> Interval:
    """Return Wilson's interval with the effective sample size and Student's quantile."""
    mean, error, clusters = _spread(values, who)
    size = min(mean * (1 - mean) / error**2, len(values)) if error else clusters
    square = student_quantile(0.975, clusters - 1) ** 2
    centre = (mean + square / 2 / size) / (1 + square / size)
    side = math.sqrt(square * (mean * (1 - mean) / size + square / 4 / size**2))
    return centre - side / (1 + square / size), centre + side / (1 + square / size)


METHODS: dict[str, Method] = {
    "printed": printed,
    "percentile bootstrap (version 1)": partial(printed, intervals=PERCENTILE),
    "Student's t over clusters": student,
    "Wilson, effective size": wilson,
}


def coverage(
    draw: Callable[[np.random.Generator], Sample], truth: float, method: Method, runs: int
) -> tuple[float, float]:
    """Return the share of intervals that contain the truth, and their mean width."""
    rng = np.random.default_rng(14)
    found = [method(*draw(rng)) for _ in range(runs)]
    right = [low - 1e-9 <= truth <= high + 1e-9 for low, high in found]
    return sum(right) / runs, sum(high - low for low, high in found) / runs
