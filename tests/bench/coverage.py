"""How often printed intervals and the bounds of verdicts are right: coverage, width and errors.

    python -m tests.bench.coverage [--runs 1000] [--tables means,methods,...]

Answers of people are drawn from known rates; then the kit's own functions are asked, and the tables
say how often they were right. Everything is seeded: equal runs print equal tables.
"""

import argparse
from collections.abc import Callable, Iterator

import numpy as np

from kit.metrics.cluster_sizes import size_matters
from kit.metrics.statistics import bounded_mean
from kit.verdicts.equivalence import against_seeds
from kit.verdicts.judging import Outcome
from tests.toys.people import (
    EQUAL,
    METHODS,
    UNEQUAL,
    Method,
    Sample,
    coverage,
    difference,
    people,
    printed,
    rates,
    sizes,
)

RATES = (0.5, 0.7, 0.9, 0.95, 0.97)
ALIKE = (0.1, 0.3, 0.5, 1.0)  # intra-cluster correlation; 1: all answers about a person are equal
CLUSTERS = (2, 4, 8, 10, 16, 40)


def _cells(
    clusters: int, alike: float, rate: float, method: Method, runs: int
) -> tuple[float, float]:
    """Return the smaller coverage of equal and unequal sizes, and the larger width."""
    found = [
        coverage(lambda rng, how=how: people(rng, clusters, how, rate, alike), rate, method, runs)
        for how in (EQUAL, UNEQUAL)
    ]
    return min(right for right, _ in found), max(width for _, width in found)


def means(runs: int) -> Iterator[str]:
    """Coverage / width of the printed 95 % interval for a mean; sizes 15 and 8-40."""
    yield _row("people", "alike", *(f"p = {rate}" for rate in RATES))
    for clusters in CLUSTERS:
        for alike in ALIKE:
            found = (_cells(clusters, alike, rate, printed, runs) for rate in RATES)
            yield _row(clusters, alike, *(f"{right:.3f} / {width:.2f}" for right, width in found))


def methods(runs: int) -> Iterator[str]:
    """Least coverage over all p and correlations above, and mean width, for each method."""
    yield _row("people", *METHODS)
    for clusters in (8, 16, 40):
        cells = []
        for method in METHODS.values():
            found = [
                _cells(clusters, alike, rate, method, runs) for alike in ALIKE for rate in RATES
            ]
            width = sum(width for _, width in found) / len(found)
            cells.append(f"{min(right for right, _ in found):.3f} / {width:.2f}")
        yield _row(clusters, *cells)


def differences(runs: int) -> Iterator[str]:
    """Coverage / width of the printed interval for a paired difference; sizes 8-40."""
    pairs = ((0.97, 0.97), (0.97, 0.9), (0.9, 0.7), (0.97, 0.5), (0.5, 0.5), (0.97, 0.03))
    yield _row("people", "alike", *(f"{one} - {other}" for one, other in pairs))

    def draw(
        rng: np.random.Generator, clusters: int, alike: float, one: float, other: float
    ) -> Sample:
        left, who = people(rng, clusters, UNEQUAL, one, alike)
        right = rng.random(len(who)) < rates(rng, clusters, other, alike)[who]
        return left - right, who

    for clusters in (8, 16, 40):
        for alike in (0.1, 0.5, 1.0):
            cells = (
                coverage(
                    lambda rng, a=alike, k=clusters, p=pair: draw(rng, k, a, *p),
                    pair[0] - pair[1], difference, runs,
                )
                for pair in pairs
            )  # fmt: skip
            yield _row(clusters, alike, *(f"{right:.3f} / {width:.2f}" for right, width in cells))


def ratios(runs: int) -> Iterator[str]:
    """Coverage / width of the printed interval for a ratio of sums (F1 of yes/no answers)."""
    hits = ((0.5, 0.5), (0.8, 0.3), (0.95, 0.1), (0.99, 0.02))
    yield _row("clusters", "alike", *(f"yes {one}, false yes {other}" for one, other in hits))

    def interval(values: np.ndarray, who: np.ndarray) -> tuple[float, float]:
        counted = ~np.isnan(values)
        return printed(values[counted], who[counted], 1 + values[counted])

    def draw(
        rng: np.random.Generator, clusters: int, alike: float, hit: float, false: float
    ) -> Sample:
        who = np.repeat(np.arange(clusters), 12)
        wanted = np.arange(len(who)) % 2 == 0
        own = rates(rng, clusters, hit, alike)[who], rates(rng, clusters, false, alike)[who]
        said = rng.random(len(who)) < np.where(wanted, *own)
        return np.where(wanted | said, (wanted & said) * 1.0, np.nan), who

    for clusters in (8, 16, 40):
        for alike in (0.1, 0.5):
            cells = (
                coverage(
                    lambda rng, a=alike, k=clusters, h=hit: draw(rng, k, a, *h),
                    2 * hit[0] / (hit[0] + 1 + hit[1]), interval, runs,
                )
                for hit in hits
            )  # fmt: skip
            yield _row(clusters, alike, *(f"{right:.3f} / {width:.2f}" for right, width in cells))


def false_passes(rng: np.random.Generator, clusters: int, how: str, rate: float, alike: float,
                 runs: int) -> float:  # fmt: skip
    """Return how often the lower bound of a verdict reaches the true value: a wrong pass."""
    passed = 0
    for run in range(runs):
        values, who = people(rng, clusters, how, rate, alike)
        passed += (bounded_mean(values, who, limits=(0, 1), key=(run,), draws=500).low or 0) >= rate
    return passed / runs


def verdicts(runs: int) -> Iterator[str]:
    """Claims that are exactly at their threshold and pass (nominal: at most 0.05)."""
    chosen = (0.5, 0.7, 0.9)
    yield _row("people", "alike", "answers each", *(f"p = {rate}" for rate in chosen))
    for clusters in (4, 10, 16, 40):
        for alike in (0.3, 1.0):
            for how in (EQUAL, UNEQUAL):
                rng = np.random.default_rng(14)
                found = (false_passes(rng, clusters, how, p, alike, runs) for p in chosen)
                yield _row(clusters, alike, how, *(f"{each:.3f}" for each in found))


def seeds(runs: int) -> Iterator[str]:
    """Outcomes of `against_seeds` for a fresh seed of the same experiment, margin 4 s."""
    yield _row("seeds of the reference", "values", "REPRODUCED", "NOT_REPRODUCED", "INCONCLUSIVE")
    for count in (3, 5, 8):
        for destroyed in (0.0, 0.1):
            rng = np.random.default_rng(14)
            found: dict[Outcome, int] = dict.fromkeys(Outcome, 0)
            for _ in range(runs):
                values = 0.8 + 0.02 * rng.standard_normal(count + 1)
                values[rng.random(count + 1) < destroyed] = 0.0
                done = against_seeds(values[0], 1, values[1:], records=10_000, margin=0.08)
                found[done.outcome] += 1
            kind = "normal" if not destroyed else "one in ten destroyed"
            asked = (Outcome.REPRODUCED, Outcome.NOT_REPRODUCED, Outcome.INCONCLUSIVE)
            yield _row(count, kind, *(f"{found[each] / runs:.2f}" for each in asked))


def informative(runs: int) -> Iterator[str]:
    """Values that are marked because the size of clusters goes with them (level 0.01)."""
    yield _row("people", "size unrelated", "large ones known half as often", "large ones unknown")
    for clusters in (8, 16, 40):
        cells = []
        for factor in (1.0, 0.5, 0.0):
            rng = np.random.default_rng(14)
            marked = 0
            for _ in range(runs):
                many = sizes(rng, clusters, UNEQUAL)
                who = np.repeat(np.arange(clusters), many)
                own = rates(rng, clusters, 0.8, 0.3) * np.where(many > 24, factor, 1.0)
                marked += size_matters((rng.random(len(who)) < own[who]) * 1.0, who)
            cells.append(f"{marked / runs:.3f}")
        yield _row(clusters, *cells)


TABLES: dict[str, Callable[[int], Iterator[str]]] = {
    each.__name__: each
    for each in (means, methods, differences, ratios, verdicts, seeds, informative)
}


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def main() -> int:
    """Print the tables that are asked for, as Markdown."""
    parser = argparse.ArgumentParser(prog="bench coverage")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--tables", default=",".join(TABLES))
    given = parser.parse_args()
    for name in given.tables.split(","):
        lines = list(TABLES[name](given.runs))
        print(f"\n{TABLES[name].__doc__} {given.runs} runs in each cell.\n")
        print("\n".join([lines[0], "|---" * (lines[0].count("|") - 1) + "|", *lines[1:]]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
