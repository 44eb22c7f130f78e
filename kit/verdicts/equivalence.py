"""Whether a value equals that of a reference: tested on its records (TOST) or on its seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kit.metrics.statistics import Estimate, bounded_mean, student_quantile
from kit.verdicts.outcome import Outcome

MIN_SEEDS = 3


@dataclass(frozen=True)
class Finding:
    """The outcome of a test: `difference` is ours minus the reference's, with its 90 % interval.

    `detectable` is the smallest true difference that this test could have distinguished from none.
    The test can only decide if it is below the margin.
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
    """Test whether the means of two results differ by at most `margin`: two one-sided 5 % tests.

    Args:
        ours, reference: [n] values of the same records in the same order.
        units: [n] codes of the units to resample, people or records.
        limits: smallest and largest difference that one record can have.
        margin: largest accepted difference of the means, > 0.
        key: the name of this test; it seeds the draws.
    """
    found = bounded_mean(ours - reference, units, limits=limits, key=key)
    outcome, reason = equivalent(found, margin)
    width = None
    if found.low is not None and found.high is not None:
        width = max(found.value - found.low, found.high - found.value)
    return Finding(outcome, reason, found.value, found.low, found.high, width and round(width, 6))


def equivalent(found: Estimate, margin: float) -> tuple[Outcome, str]:
    """Compare the interval of a difference with a margin on both sides of 0."""
    if found.low is None or found.high is None or found.n < 1:
        return Outcome.INCONCLUSIVE, "there is no interval"
    if -margin <= found.low and found.high <= margin:
        return Outcome.REPRODUCED, ""
    if found.low > margin or found.high < -margin:
        return Outcome.NOT_REPRODUCED, f"the two differ by more than {margin:g}"
    return Outcome.INCONCLUSIVE, f"the interval of the difference extends beyond {margin:g}"


def against_seeds(
    value: float, seeds: int, reference: Sequence[float], *, records: int, margin: float
) -> Finding:
    """Test whether `value` could be the value of another seed of the reference.

    Let m and s be mean and standard deviation over the reference's N seeds, and n the number of
    our seeds. A value outside the two-sided prediction interval m +- t(0.975, N - 1) s
    sqrt(1/N + 1/n) is NOT_REPRODUCED. A value inside proves little if seeds vary widely, so
    REPRODUCED also requires that the difference plus t(0.95, N - 1) s sqrt(1/N + 1/n) is within the
    margin. Few seeds cannot show a spread below half an answer of the `records`, so s is at least
    that.

    Args:
        value: our mean over `seeds` >= 1 seeds.
        seeds: the number of our seeds.
        reference: the value of each seed of the reference.
        records: the number of answers that each value is a mean of.
        margin: largest accepted distance from the reference's mean, > 0.
    """
    count = len(reference)
    if count < MIN_SEEDS:
        reason = f"the reference has {count} seeds; {MIN_SEEDS} are needed to estimate the spread"
        return Finding(Outcome.SKIPPED, reason, 0.0, None, None, None)
    spread = max(float(np.std(np.asarray(reference), ddof=1)), 0.5 / records)
    spread *= math.sqrt(1 / count + 1 / seeds)
    difference = round(value - float(np.mean(np.asarray(reference))), 9)
    sure = student_quantile(0.95, count - 1) * spread
    outcome, reason = Outcome.REPRODUCED, ""
    if abs(difference) + sure > margin:
        outcome = Outcome.INCONCLUSIVE
        reason = f"{count} seeds of the reference cannot exclude a difference above {margin:g}"
        if abs(difference) > student_quantile(0.975, count - 1) * spread:
            outcome = Outcome.NOT_REPRODUCED
            reason = f"outside the range that {count} seeds of the reference predict"
    low, high, width = (round(x, 6) for x in (difference - sure, difference + sure, sure))
    return Finding(outcome, reason, difference, low, high, width)


def within_limit(
    value: float, seeds: int, reference: Sequence[float], *, records: int, margin: float
) -> Finding:
    """Test whether `value` is within the limit that was declared for a fresh seed.

    The limit was set in advance from the spread of other seeds, the pilots, so that the value of a
    fresh seed is within it of the reference's mean (`kit.calibration.rule`). This is the
    reproducibility limit of ISO 5725-6. REPRODUCED is a value within it. A value beyond it is
    NOT_REPRODUCED if it is also outside the prediction interval of the reference's own seeds, as in
    `against_seeds`, and INCONCLUSIVE otherwise.

    Args and limits are those of `against_seeds`, and so is the interval of the finding.
    """
    found = against_seeds(value, seeds, reference, records=records, margin=margin)
    if found.outcome is Outcome.SKIPPED:
        return found
    if abs(found.difference) <= margin:
        return replace(found, outcome=Outcome.REPRODUCED, reason="")
    reason = f"further from the reference's mean than a fresh seed may be ({margin:g})"
    if found.outcome is Outcome.NOT_REPRODUCED:
        return replace(found, reason=f"{reason}, and {found.reason}")
    return replace(
        found, outcome=Outcome.INCONCLUSIVE, reason=f"{reason}, but its own seeds vary as widely"
    )


def agreement(ours: np.ndarray, reference: np.ndarray) -> float:
    """Return the share of records with equal values."""
    return round(float(np.isclose(ours, reference, rtol=0, atol=1e-9).mean()), 6)


def kappa(ours: np.ndarray, reference: np.ndarray) -> float | None:
    """Return Cohen's kappa of [n] zeros and ones, agreement beyond chance; None if undefined."""
    if not (np.isin(ours, (0, 1)).all() and np.isin(reference, (0, 1)).all()):
        return None
    a, b = float(ours.mean()), float(reference.mean())
    chance = a * b + (1 - a) * (1 - b)
    if chance >= 1:
        return None
    return round((agreement(ours, reference) - chance) / (1 - chance), 6)
