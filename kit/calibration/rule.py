"""How far the value of a fresh seed may be from the reference's: the rule and its version."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from kit.metrics.statistics import VERDICT_ERROR, student_quantile

RULE = 1
ERROR = 0.05  # how often one of all claims may fail although nothing has changed
LEAST = 0.10  # less is not worth a dispute, and few seeds cannot show less
STEP = 0.05
BOUND_NOISE = 0.005  # of a bound that is computed from 10,000 draws
MOST = 0.40  # a wider limit lets half of an effect pass
WORDS = (
    "equivalence = t(1 - 0.05 / (2 K), n - 1) * s * sqrt(1 + 1 / N), at least 0.10, rounded up to "
    "a multiple of 0.05, and refused above 0.40; s is the standard deviation of the claim's value "
    "over n pilot seeds (at least half an answer), N the number of reference seeds and K the "
    "number of claims. Systems that are trained once get at least the limit within which equal "
    "answers can be shown to be equal. Where seeds are normally distributed, a fresh seed is "
    "further from the reference's mean than this in any of the K claims with a probability of at "
    "most 0.05."
)


@dataclass(frozen=True)
class Spread:
    """What pilot seeds show of one claim.

    `sd` is the standard deviation over the seeds, at least half an answer. `upper_sd` is the upper
    95 % limit of it, `equivalence` the limit for a fresh seed.
    """

    mean: float
    sd: float
    upper_sd: float
    equivalence: float


def spread_of(
    values: Sequence[float],
    *,
    records: int,
    claims: int,
    reference_seeds: int,
    least: float = LEAST,
) -> Spread:
    """Apply the rule to the values of one claim.

    Args:
        values: the claim's value for each pilot seed, at least two.
        records: how many answers each value is a mean of.
        claims: how many claims are compared.
        reference_seeds: how many seeds the reference has.
        least: the smallest limit; that of `least_of_units` for systems that are trained once.
    """
    found = np.asarray(values, dtype=float)
    sd = max(float(np.std(found, ddof=1)), 0.5 / records)
    exact = max(least, factor(len(found), claims=claims, reference_seeds=reference_seeds) * sd)
    # 1e-9: exactly 0.15 is not rounded up to 0.20 in floating point.
    steps = math.ceil(exact / STEP - 1e-9)
    return Spread(
        mean=round(float(found.mean()), 6),
        sd=round(sd, 6),
        upper_sd=round(sd * _upper_factor(len(found)), 6),
        equivalence=round(max(LEAST, steps * STEP), 2),
    )


def least_of_units(units: int, width: float) -> float:
    """Return the smallest limit within which `compare` can show equality record by record.

    Systems that are trained once (Vanilla, Retain-only, a prompt) have no seeds, so `compare` tests
    their records. Even if all answers agree, its interval is this wide.

    Args:
        units: how many units are resampled.
        width: the distance between the smallest and the largest value of one record.
    """
    return width * (1 - math.pow(VERDICT_ERROR, 1 / units)) + BOUND_NOISE


@cache
def factor(pilots: int, *, claims: int, reference_seeds: int) -> float:
    """Return how many standard deviations of the pilots a fresh seed may be off."""
    quantile = student_quantile(1 - ERROR / (2 * claims), pilots - 1)
    return quantile * math.sqrt(1 + 1 / reference_seeds)


def _upper_factor(count: int) -> float:
    """Return the upper 95 % limit of a standard deviation, for one of 1 over `count` values.

    (n - 1) s^2 / sigma^2 is chi-squared. Wilson and Hilferty (1931) approximate its quantile to 1 %
    from four degrees of freedom on; the number is for the reader and decides nothing.
    """
    freedom = count - 1
    third = 2 / (9 * freedom)
    quantile = freedom * max(1 - third - 1.644854 * math.sqrt(third), 1e-3) ** 3
    return math.sqrt(freedom / quantile)
