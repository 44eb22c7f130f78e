"""Two statistics of ranks: do two samples have one distribution, do two lists have one order?

scipy has both, but would add 126 MB to the slim environment of a verifier.
"""

import math
from collections.abc import Sequence

import numpy as np


def kolmogorov_smirnov(left: np.ndarray, right: np.ndarray) -> tuple[float, float]:
    """Return the two-sample statistic D and its exact two-sided p, for samples of one size.

    D is the largest distance of the two empirical distribution functions. With h = n D,
    p = 2 sum over k >= 1 of (-1)**(k - 1) C(2n, n - k h) / C(2n, n), the share of orders of the 2n
    values with a distance of at least h (Gnedenko and Korolyuk 1951; scipy's `ks_2samp`, exact).
    With ties, p is too large rather than too small.

    Args:
        left, right: [n] values, n >= 1; infinite values have their place in the order.

    Raises:
        ValueError: the samples have different sizes, or none.
    """
    size = len(left)
    if size < 1 or len(right) != size:
        raise ValueError(f"two samples of one size are needed, not {size} and {len(right)}")
    places = np.concatenate([left, right])
    steps = [np.searchsorted(np.sort(each), places, side="right") for each in (left, right)]
    furthest = int(np.abs(steps[0] - steps[1]).max())
    if not furthest:
        return 0.0, 1.0
    every = math.comb(2 * size, size)
    ways = sum(
        (-1) ** (k - 1) * math.comb(2 * size, size - k * furthest)
        for k in range(1, size // furthest + 1)
    )
    return furthest / size, min(1.0, 2 * ways / every)


def kendall(left: Sequence[float], right: Sequence[float]) -> float | None:
    """Return Kendall's tau-b of two lists: 1 for one order, -1 for the reverse, 0 for unrelated.

    Pairs that are tied in one list count for neither side (Kendall 1945). None if all values of one
    list are equal: it then has no order.
    """
    pairs = [(i, j) for i in range(len(left)) for j in range(i)]
    signs = [(np.sign(left[i] - left[j]), np.sign(right[i] - right[j])) for i, j in pairs]
    untied = [sum(1 for pair in signs if pair[side]) for side in (0, 1)]
    if not all(untied):
        return None
    return float(sum(a * b for a, b in signs)) / math.sqrt(untied[0] * untied[1])
