"""Whether large clusters have other values than small ones: where intervals may be wrong.

Intervals over clusters assume that the size of a cluster says nothing of its value. If the few
people with many questions are answered worse than the others, most samples of people would miss
them, and the intervals are wrong far more often than they say. Statistics calls this an informative
cluster size.
"""

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from kit.metrics.statistics import generator, per_cluster

LEVEL = 0.01  # of each test: one value in a hundred is marked although size does not matter
PERMUTATIONS = 1_999
MOST_PERMUTED = 512  # clusters; bounds the memory of a verification
MIN_CLUSTERS = 6  # five clusters have 120 orders, too few to show anything at this level
CLOSE = 1e-9  # sums of floats that are equal but for rounding


def size_matters(values: np.ndarray, clusters: np.ndarray) -> bool:
    """Say whether the size of a cluster depends on its mean value.

    A permutation test: the statistic is the covariance of size and mean over the clusters, the null
    distribution is that of the same sizes given to other clusters (above `MOST_PERMUTED` clusters:
    a normal distribution with its variance). A cluster of size s has s of the values that exist.
    Two-sided at `LEVEL`. With equal sizes, or with fewer than `MIN_CLUSTERS`
    clusters, nothing can be shown and the answer is no.

    Args:
        values: [n] values of one system; NaN where there is none.
        clusters: [n] integer code of each record's cluster.
    """
    exists = ~np.isnan(values)
    if not exists.any():
        return False
    sums, sizes = per_cluster(values[exists], np.ones(int(exists.sum())), clusters[exists])
    means = sums / sizes
    if len(sizes) < MIN_CLUSTERS or np.ptp(sizes) == 0 or np.ptp(means) < CLOSE:
        return False
    centred = means - means.mean()
    found = abs(float(sizes @ centred))
    if len(sizes) > MOST_PERMUTED:
        spread = math.sqrt(sizes.var() * len(sizes) * float(centred @ centred) / (len(sizes) - 1))
        return found / spread >= NormalDist().inv_cdf(1 - LEVEL / 2)
    shuffled = np.abs(_shuffled(sizes.astype(np.int64).tobytes()) @ centred)
    extreme = np.count_nonzero(shuffled >= found - CLOSE)
    return bool((1 + extreme) / (1 + PERMUTATIONS) <= LEVEL)


@lru_cache(maxsize=8)
def _shuffled(sizes: bytes) -> np.ndarray:
    """Return [permutations, clusters] orders of the sizes, from raw draws as in `statistics`."""
    given = np.frombuffer(sizes, dtype=np.int64)
    raw = np.asarray(generator(("cluster sizes",)).random_raw(PERMUTATIONS * len(given)))
    order = np.argsort(raw.reshape(PERMUTATIONS, len(given)), axis=1, kind="stable")
    return np.asarray(given[order], dtype=np.float64)
