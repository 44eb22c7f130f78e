"""Is a value the same as a reference's? Against its records (TOST), or against its seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kit.metrics.statistics import Estimate, bounded_mean, student_quantile
from kit.verdicts.judging import Outcome

FEWEST_SEEDS = 3


@dataclass(frozen=True)
class Finding:
    """What a test found of `difference`, ours minus the reference's, with its 90 % interval.

    `detectable` is the smallest true difference that could have been told from none; a comparison
    can decide only where it is below the margin.
    """

    outcome: Outcome
    reason: str
    difference: float
    low: float | None
    high: float | None
    detectable: float | None


def against_records(
    ours: np.ndarray,
    reference: np.ndarray,
    units: np.ndarray,
    *,
    limits: tuple[float, float],
    margin: float,
    key: tuple[object, ...],
) -> Finding:
    """Test by two one-sided tests at 5 % whether two results' means differ by at most `margin`.

    Args:
        ours, reference: [n] values of the same records in the same order.
        units: [n] codes of what is resampled, people or records.
        limits: least and largest difference that one record can have.
        margin: how far apart the means may be, > 0.
        key: what names this test; it seeds the draws.
    """
    found = bounded_mean(ours - reference, units, limits=limits, key=key)
    outcome, reason = equivalent(found, margin)
    width = None
    if found.low is not None and found.high is not None:
        width = max(found.value - found.low, found.high - found.value)
    return Finding(outcome, reason, found.value, found.low, found.high, width and round(width, 6))


def equivalent(found: Estimate, margin: float) -> tuple[Outcome, str]:
    """Hold the interval of a difference against a margin on both sides of 0."""
    if found.low is None or found.high is None or found.n < 1:
        return Outcome.INCONCLUSIVE, "there is no interval"
    if -margin <= found.low and found.high <= margin:
        return Outcome.REPRODUCED, ""
    if found.low > margin or found.high < -margin:
        return Outcome.NOT_REPRODUCED, f"the results differ by more than {margin:g}"
    return Outcome.INCONCLUSIVE, f"the interval of the difference reaches beyond {margin:g}"


def against_seeds(
    value: float, seeds: int, reference: Sequence[float], *, records: int, margin: float
) -> Finding:
    """Test whether `value` is one that other seeds of the reference could have.

    With mean m and standard deviation s of the reference's N seeds, n of ours, a value outside of
    m +- t(0.975, N - 1) s sqrt(1/N + 1/n), the two-sided prediction interval, is NOT_REPRODUCED.
    Inside proves little where seeds differ widely: REPRODUCED asks that the difference and
    t(0.95, N - 1) s sqrt(1/N + 1/n) stay within the margin together. A spread below half an answer
    of the `records` cannot be seen in so few seeds, and is not assumed.

    Args:
        value: our mean over `seeds` >= 1 seeds.
        reference: the value of each seed of the reference.
        records: how many answers each value is a mean of.
        margin: how far from the reference's mean a value may be, > 0.
    """
    count = len(reference)
    if count < FEWEST_SEEDS:
        reason = f"the reference has {count} seeds, {FEWEST_SEEDS} are needed to know their spread"
        return Finding(Outcome.SKIPPED, reason, 0.0, None, None, None)
    spread = max(float(np.std(np.asarray(reference), ddof=1)), 0.5 / records)
    spread *= math.sqrt(1 / count + 1 / seeds)
    difference = round(value - float(np.mean(np.asarray(reference))), 9)
    sure = student_quantile(0.95, count - 1) * spread
    outcome, reason = Outcome.REPRODUCED, ""
    if abs(difference) + sure > margin:
        outcome = Outcome.INCONCLUSIVE
        reason = f"{count} seeds of the reference leave more than {margin:g} open"
        if abs(difference) > student_quantile(0.975, count - 1) * spread:
            outcome = Outcome.NOT_REPRODUCED
            reason = f"outside of what {count} seeds of the reference predict"
    low, high, width = (round(x, 6) for x in (difference - sure, difference + sure, sure))
    return Finding(outcome, reason, difference, low, high, width)


def agreement(ours: np.ndarray, reference: np.ndarray) -> float:
    """Return the share of records with equal values."""
    return round(float(np.isclose(ours, reference, rtol=0, atol=1e-9).mean()), 6)


def kappa(ours: np.ndarray, reference: np.ndarray) -> float | None:
    """Return Cohen's kappa of [n] zeros and ones: agreement beyond chance; None if undefined."""
    if not (np.isin(ours, (0, 1)).all() and np.isin(reference, (0, 1)).all()):
        return None
    a, b = float(ours.mean()), float(reference.mean())
    chance = a * b + (1 - a) * (1 - b)
    if chance >= 1:
        return None
    return round((agreement(ours, reference) - chance) / (1 - chance), 6)
