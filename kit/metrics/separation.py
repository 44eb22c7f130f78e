"""AUC of two groups of records that consist of clusters, with an interval for few clusters."""

import numpy as np

from kit.metrics.statistics import VERDICT_DECIMALS, Estimate, generator

ERROR = 0.025  # of each end of the interval
MOST_PAIRS = 100_000  # of clusters; above it there is no interval
AT_ONCE = 1 << 22  # numbers of a chunk of draws


def auc(
    left: np.ndarray,
    right: np.ndarray,
    left_clusters: np.ndarray,
    right_clusters: np.ndarray,
    *,
    draws: int,
    seed: int,
) -> Estimate:
    """Return P(right > left) + P(right = left) / 2 of a random pair, with a 95 % interval.

    0.5: the groups cannot be told apart. 1: every value of `right` is above every one of `left`.

    The interval is that of `kit.metrics.intervals` for two samples, which is the kit's own: to each
    group one cluster is added, as large as its largest. All pairs of the added clusters count 0 for
    the lower end and 1 for the upper one, and clusters get Dirichlet weights in both groups.

    Args:
        left, right: [n] and [m] values, n and m >= 1.
        left_clusters, right_clusters: [n] and [m] integer codes; the groups share no cluster.
        draws: number of draws.
        seed: seed of the draws.

    Returns:
        The estimate; `n` and `clusters` count `left`. There is no interval where a group has one
        cluster, or where there are more than `MOST_PAIRS` pairs of clusters.
    """
    wins, rows, columns = _wins(left, right, left_clusters, right_clusters)
    value = round(float(wins.sum()) / (len(left) * len(right)), VERDICT_DECIMALS)
    few = min(len(rows), len(columns)) < 2
    if few or len(rows) * len(columns) > MOST_PAIRS:
        return Estimate(value, len(left), len(rows), None, None)
    low, high = _bounds(wins, rows, columns, draws, seed)
    return Estimate(value, len(left), len(rows), min(low, value), max(high, value))


def _wins(
    left: np.ndarray, right: np.ndarray, left_clusters: np.ndarray, right_clusters: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return [I, J] pairs won by `right` for each pair of clusters, and the sizes [I] and [J]."""
    row = np.unique(left_clusters, return_inverse=True)[1]
    column = np.unique(right_clusters, return_inverse=True)[1]
    wins = np.zeros((row.max() + 1, column.max() + 1))
    for number in range(wins.shape[1]):
        values = np.sort(right[column == number])
        above = len(values) - np.searchsorted(values, left, side="right")
        equal = len(values) - above - np.searchsorted(values, left, side="left")
        wins[:, number] = np.bincount(row, weights=above + equal / 2)
    return wins, np.bincount(row).astype(float), np.bincount(column).astype(float)


def _bounds(
    wins: np.ndarray, rows: np.ndarray, columns: np.ndarray, draws: int, seed: int
) -> tuple[float, float]:
    stream = generator(("auc", seed))
    sizes = [np.append(each, each.max()) for each in (rows, columns)]
    lows, highs = [], []
    at_once = max(1, AT_ONCE // max(len(sizes[0]), len(sizes[1])))
    for start in range(0, draws, at_once):
        some = min(at_once, draws - start)
        left, right = (_exponential(stream, some, len(each)) for each in sizes)
        won = _summed("di,ij,dj->d", left[:, :-1], wins, right[:, :-1])
        pairs = _summed("di,i->d", left, sizes[0]) * _summed("dj,j->d", right, sizes[1])
        known = _summed("di,i->d", left[:, :-1], rows)
        known = known * _summed("dj,j->d", right[:, :-1], columns)
        lows.append(won / pairs)
        highs.append((won + pairs - known) / pairs)
    low = np.quantile(np.concatenate(lows), ERROR)
    high = np.quantile(np.concatenate(highs), 1 - ERROR)
    return round(float(low), VERDICT_DECIMALS), round(float(high), VERDICT_DECIMALS)


def _summed(form: str, *factors: np.ndarray) -> np.ndarray:
    """Return a sum of products in one order of its terms, on every processor."""
    return np.asarray(np.einsum(form, *factors, optimize=False))


def _exponential(stream: np.random.PCG64, draws: int, width: int) -> np.ndarray:
    """Return [draws, width] standard exponential draws from raw bits, which numpy keeps equal."""
    raw = np.asarray(stream.random_raw(draws * width)).reshape(draws, width)
    uniform = ((raw >> np.uint64(11)) + 0.5) * 2.0**-53
    return np.asarray(-np.log(uniform))
