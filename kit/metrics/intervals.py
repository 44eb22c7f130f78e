"""The interval that is printed beside a value: its versions, and what it promises."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from kit import __version__
from kit.errors import DataError
from kit.metrics.statistics import (
    STORED_DECIMALS,
    Estimate,
    bounds,
    cluster_mean,
    kinds_of,
    per_cluster,
)

# The version of new intervals. It rises whenever equal answers could get another interval. run.json
# names it (`versions.interval`); earlier ones stay, because stored results have them.
INTERVAL = 2
# Each end of version 2 may be wrong in 25 of 1000 runs: together a 95 % interval.
INTERVAL_ERROR = 0.025
SUM_DECIMALS = 9
MOST_CACHED = 256  # kinds of clusters; bounds the memory of a verification
SHARES = (0.0, 1.0)  # limits of a value
DIFFERENCES = (-1.0, 1.0)  # limits of a difference of two values
# Below this number of clusters an interval is marked, by version.
FEW_CLUSTERS = {1: 10, 2: 8}
NOTES = {
    1: "Brackets hold 95 % percentile bootstrap intervals over clusters.",
    2: "Brackets hold 95 % intervals over clusters: each end is wrong in at most 25 of 1,000 runs "
    "(at most 5 % for both), even where all answers agree. They are the bounds of the verdicts, "
    "with half their error on each side: it is computed as if one more cluster, as large as the "
    "largest, had the worst possible value. Simulated intervals of 8 to 40 clusters contained the "
    "truth in 94 to 100 of 100 runs (kit/metrics/README.md).",
}
FEW_NOTES = {
    1: "With fewer than 10 clusters, the percentile interval is too narrow: read it as a lower "
    "bound on the uncertainty. An interval of zero width means that all records agree, not that "
    "the value is certain.",
    2: "Fewer than 8 clusters: the interval is right, but so wide that it says little. No method "
    "can do better without more people (or events): clusters that all agree still leave the "
    "possibility of an exception, 37 % of the range for 8 clusters, 60 % for 4 and 84 % for 2, and "
    "more where their sizes differ. One cluster has no interval, because nothing shows how "
    "clusters differ.",
}


@dataclass(frozen=True)
class Intervals:
    """How the intervals of one result are computed: draws, their seed, and the version."""

    draws: int
    seed: int
    version: int = INTERVAL

    def __post_init__(self) -> None:
        """Check that this kit has this version.

        Raises:
            DataError: it has not.
        """
        if self.version not in NOTES:
            raise DataError(
                f"this version of the kit has no version {self.version} of the intervals",
                expected=f"version {' or '.join(map(str, NOTES))}, which kit {__version__} knows",
                found=f"version {self.version}",
                remedy="use a newer version of the kit, or the one that made the result",
            )

    @property
    def few(self) -> int:
        """Return the number of clusters below which an interval is marked."""
        return FEW_CLUSTERS[self.version]

    def mean(
        self,
        values: np.ndarray,
        clusters: np.ndarray,
        weights: np.ndarray | None = None,
        *,
        limits: tuple[float, float] = SHARES,
        key: tuple[object, ...] = (),
    ) -> Estimate:
        """Return the mean of `values` with its 95 % interval; there is none below two clusters.

        Version 1 is the percentile bootstrap, whose draws depend on `key`. Version 2 holds for few
        clusters as well and depends on the clusters' values alone: equal values have equal
        intervals, whatever they are called.

        Args:
            values: [n] float within `limits`, no NaN, n >= 1.
            clusters: [n] integer code of each value's cluster, a person for example.
            weights: [n] positive weights of a ratio of sums (F1), or None for equal weights.
            limits: smallest and largest possible value.
            key: the name of this estimate with the seed, for version 1.
        """
        if self.version == 1:
            return cluster_mean(values, clusters, weights, draws=self.draws, key=key)
        weighted = np.ones(len(values)) if weights is None else weights
        sums, counts = per_cluster(values, weighted, clusters)
        value = round(float(np.average(values, weights=weights)), STORED_DECIMALS)
        if len(sums) < 2:
            return Estimate(value, len(values), len(sums), None, None)
        # Rounded, so that sums which differ by the rounding of a processor are one kind of cluster.
        kinds, members = kinds_of(np.round(sums, SUM_DECIMALS), np.round(counts, SUM_DECIMALS))
        make = _cached_bounds if len(kinds) <= MOST_CACHED else _cached_bounds.__wrapped__
        low, high = make(kinds.tobytes(), members.tobytes(), limits, self.draws, self.seed)
        return Estimate(value, len(values), len(sums), min(low, value), max(high, value))

    def difference(
        self,
        values: np.ndarray,
        reference: np.ndarray,
        clusters: np.ndarray,
        *,
        key: tuple[object, ...] = (),
    ) -> Estimate:
        """Return the mean of `values - reference` with its 95 % interval.

        Both are [n]: the values of two systems for the same records in the same order. The same
        clusters are drawn for both, so that records that are hard for both systems cancel out.
        """
        return self.mean(values - reference, clusters, limits=DIFFERENCES, key=key)


@lru_cache(maxsize=1 << 12)
def _cached_bounds(
    kinds: bytes, members: bytes, limits: tuple[float, float], draws: int, seed: int
) -> tuple[float, float]:
    """Return the bounds of equal clusters once: systems often have equal values."""
    return bounds(
        np.frombuffer(kinds).reshape(-1, 2),
        np.frombuffer(members, dtype=np.int64),
        limits=limits,
        error=INTERVAL_ERROR,
        draws=draws,
        key=("interval", seed),
    )
