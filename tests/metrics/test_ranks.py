"""Two statistics of ranks against values worked out by hand, and against scipy where it is."""

import importlib.util
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.metrics.ranks import kendall, kolmogorov_smirnov

SCIPY = pytest.mark.skipif(
    importlib.util.find_spec("scipy") is None, reason="scipy is not in this environment"
)


@pytest.mark.parametrize(
    ("left", "right", "distance", "p"),
    [
        # 2 of the 20 orders of 3 + 3 values keep all of one sample below the other.
        ([1, 2, 3], [4, 5, 6], 1, 2 / 20),
        ([4, 5, 6], [1, 2, 3], 1, 2 / 20),
        # 12 of 20 orders have a distance of 2 / 3 at least.
        ([1, 2, 5], [3, 4, 6], 2 / 3, 12 / 20),
        ([1, 3, 5], [2, 4, 6], 1 / 3, 1.0),
        ([1, 2, 3], [1, 2, 3], 0, 1.0),
        ([7], [8], 1, 1.0),
    ],
)
def test_two_samples_of_three(left, right, distance, p):
    found = kolmogorov_smirnov(np.array(left, float), np.array(right, float))
    assert found == (pytest.approx(distance), pytest.approx(p))


@pytest.mark.parametrize("size", [1, 2, 4, 5])
def test_p_is_the_share_of_all_orders_that_are_as_far_apart(size):
    """Every order of n + n values once: P(p <= x) is at most x, and p is what counting gives."""
    from itertools import combinations

    places = set(range(2 * size))
    orders = [
        kolmogorov_smirnov(np.array(one, float), np.array(sorted(places - set(one)), float))
        for one in combinations(places, size)
    ]
    for distance, p in orders:
        share = sum(d >= distance - 1e-12 for d, _ in orders) / len(orders)
        assert p == pytest.approx(share)


@SCIPY
@given(
    st.integers(1, 60).flatmap(
        lambda n: st.tuples(*[st.lists(st.floats(-5, 5), min_size=n, max_size=n)] * 2)
    )
)
def test_scipy_has_the_same_distance_and_p(samples):
    from scipy.stats import ks_2samp

    expected = ks_2samp(*samples, method="exact")
    found = kolmogorov_smirnov(*map(np.array, samples))
    # scipy rounds: for a distance of 1/7 between 7 and 7 values, where p is 1, it gives 0.99996.
    assert found == (pytest.approx(expected.statistic), pytest.approx(expected.pvalue, abs=1e-4))


def test_samples_of_two_sizes_or_of_none_are_refused():
    with pytest.raises(ValueError, match="one size"):
        kolmogorov_smirnov(np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match="one size"):
        kolmogorov_smirnov(np.ones(0), np.ones(0))


@pytest.mark.parametrize(
    ("left", "right", "tau"),
    [
        ([1, 2, 3], [1, 2, 3], 1.0),
        ([1, 2, 3], [3, 2, 1], -1.0),
        ([1, 2, 3], [1, 3, 2], 1 / 3),  # two pairs agree, one does not
        ([1, 1, 2], [1, 2, 3], 2 / math.sqrt(2 * 3)),  # a tie counts on its own side alone
        ([1, 1, 1], [1, 2, 3], None),
        ([1], [1], None),
        ([], [], None),
    ],
)
def test_the_agreement_of_two_orders(left, right, tau):
    assert kendall(left, right) == (None if tau is None else pytest.approx(tau))


@SCIPY
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=12))
def test_scipy_has_the_same_tau(pairs):
    from scipy.stats import kendalltau

    left, right = zip(*pairs, strict=True)
    found, expected = kendall(left, right), kendalltau(left, right).statistic
    assert (found is None) == math.isnan(expected)
    assert found is None or found == pytest.approx(expected)
