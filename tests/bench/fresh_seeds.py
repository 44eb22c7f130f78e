"""How often a fresh seed of an unchanged experiment passes `compare`: a simulation.

    ./run.sh bench fresh_seeds

Pilots, reference and fresh seed are drawn from one distribution; 80 claims of 60 answers each, two
of five without any spread, the others with a standard deviation between 0.005 and 0.06.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np

from kit.calibration.rule import LEAST, MOST, STEP, factor
from kit.metrics.statistics import student_quantile

CLAIMS, RECORDS, REFERENCE, RUNS = 80, 60, 8, 4000
SATURATED, SMALLEST, LARGEST = 0.4, 0.005, 0.06
CONTAMINATED, DISTANCE = 0.02, 3.0  # share of destroyed seeds, and how far off they are, in sds
SHAPES = ("normal", "t with 5 degrees", "2 % destroyed")
Rule = Callable[[np.ndarray, int], np.ndarray]


def draw(
    rng: np.random.Generator, count: int, sd: np.ndarray, shape: str, correlation: float
) -> np.ndarray:
    """Return [runs, count, claims] values around 0; claims of one seed are correlated."""
    size = (len(sd), count, CLAIMS)
    own = rng.standard_normal(size)
    if shape == SHAPES[1]:
        own = rng.standard_t(5, size) / math.sqrt(5 / 3)
    common = rng.standard_normal((*size[:2], 1))
    values = math.sqrt(1 - correlation) * own + math.sqrt(correlation) * common
    if shape == SHAPES[2]:
        destroyed = rng.random((*size[:2], 1)) < CONTAMINATED
        values = values + destroyed * DISTANCE * rng.choice([-1.0, 1.0], size)
    return values * sd


def limits(exact: np.ndarray) -> np.ndarray:
    """Return limits as the rule rounds them."""
    return np.maximum(LEAST, np.ceil(exact / STEP - 1e-9) * STEP)


def of_the_rule(spread: np.ndarray, pilots: int) -> np.ndarray:
    """Return the limits of version 1 of `kit.calibration.rule`."""
    return limits(factor(pilots, claims=CLAIMS, reference_seeds=REFERENCE) * spread)


def four_deviations(spread: np.ndarray, _: int) -> np.ndarray:
    """Return four standard deviations, as the first reference had them."""
    return limits(4 * spread)


def simulate(
    pilots: int, shape: str, correlation: float, runs: int = RUNS
) -> Iterator[tuple[str, float, float, float]]:
    """Yield (rule, share of runs in which all claims pass, share refused, a typical limit)."""
    rng = np.random.default_rng(14)
    sd = rng.uniform(SMALLEST, LARGEST, (runs, 1, CLAIMS))
    sd = np.where(rng.random(sd.shape) < SATURATED, 0.0, sd)
    first, reference, fresh = (
        draw(rng, count, sd, shape, correlation) for count in (pilots, REFERENCE, 1)
    )
    spread, own = (np.maximum(v.std(axis=1, ddof=1), 0.5 / RECORDS) for v in (first, reference))
    distance = np.abs(fresh[:, 0] - reference.mean(axis=1))
    sure = student_quantile(0.95, REFERENCE - 1) * math.sqrt(1 + 1 / REFERENCE) * own
    rules: tuple[tuple[str, Rule, np.ndarray | float], ...] = (
        ("two one-sided tests, 4 sd (rule 1)", four_deviations, sure),
        ("two one-sided tests, limit of the calibration", of_the_rule, sure),
        ("within 4 sd", four_deviations, 0.0),
        ("within the limit of the calibration (rule 2)", of_the_rule, 0.0),
    )
    typical = (sd[:, 0] > 0.03) & (sd[:, 0] < 0.04)
    for name, rule, more in rules:
        limit = rule(spread, pilots)
        counted = limit <= MOST
        passed = ((distance + more <= limit) | ~counted).all(axis=1)
        yield name, passed.mean(), 1 - counted.mean(), limit[typical].mean()


def main() -> None:
    """Print the table."""
    print("| pilots | seeds | correlation | rule | all claims pass | refused | limit at sd 0.035 |")
    print("|---|---|---|---|---|---|---|")
    for pilots in (5, 8, 16):
        for shape in SHAPES:
            for correlation in (0.0, 0.5):
                for name, passed, refused, limit in simulate(pilots, shape, correlation):
                    print(
                        f"| {pilots} | {shape} | {correlation:g} | {name} | {passed:.3f} "
                        f"| {refused:.3f} | {limit:.2f} |"
                    )


if __name__ == "__main__":
    main()
