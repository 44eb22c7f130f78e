"""Scores of membership inference and their AUC: by hand, against all pairs, and in simulation."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.metrics import membership
from kit.metrics.definition import GivenTokens
from kit.metrics.separation import auc

LIST = (-1.0, -4.0, -2.0, -0.5, -3.0)


def tokens(logprobs=LIST, entropy=1.5, deviation=2.0, size=10):
    values = np.array(logprobs)
    return GivenTokens(
        "answer", "x", size, values, np.ones(len(values)), np.full(len(values), entropy),
        np.full(len(values), deviation),
    )  # fmt: skip


def test_the_four_scores_worked_out_by_hand():
    assert membership.loss(tokens()) == pytest.approx(2.1)
    assert membership.zlib_ratio(tokens()) == pytest.approx(0.21)
    assert membership.min_k(tokens()) == pytest.approx(3.5), "40 % of five: the two lowest"
    # (-4 + 1.5) / 2 = -1.25 and (-3 + 1.5) / 2 = -0.75
    assert membership.min_k_plus_plus(tokens()) == pytest.approx(1.0)


def test_min_k_takes_at_least_one_token_and_rounds_down():
    assert membership.min_k(tokens([-3.0, -1.0])) == 3.0
    assert membership.min_k(tokens([-3.0, -1.0, -1.0, -1.0])) == 3.0, "0.4 x 4 = 1.6"


def test_a_distribution_without_deviation_is_no_division_by_zero():
    certain = tokens([0.0, 0.0], entropy=0.0, deviation=0.0)
    assert membership.min_k_plus_plus(certain) == 0.0
    assert membership.min_k_plus_plus(tokens([-1.0], 0.0, 0.0)) == pytest.approx(1000.0)


def test_a_uniform_distribution_standardises_every_token_to_zero():
    even = tokens([-math.log(8)] * 3, entropy=math.log(8), deviation=0.5)
    assert membership.min_k_plus_plus(even) == pytest.approx(0.0)


def test_all_scores_rise_where_each_token_becomes_less_likely():
    for score in membership.SCORES.values():
        assert score(tokens([each - 0.5 for each in LIST])) > score(tokens())


def pairs(left, right):
    return np.mean([(b > a) + (b == a) / 2 for a, b in itertools.product(left, right)])


def separated(left, right, left_clusters=None, right_clusters=None):
    codes = [
        np.arange(len(values)) if given is None else np.array(given)
        for values, given in ((left, left_clusters), (right, right_clusters))
    ]
    values = np.array(left, dtype=float), np.array(right, dtype=float)
    return auc(*values, *codes, draws=400, seed=1)


def test_an_auc_of_four_and_three_values_worked_out_by_hand():
    # 12 pairs: 1 is above none, 3 above two and equal to one, 9 above all four: 0 + 2.5 + 4
    found = separated([1.5, 2, 3, 4], [1, 3, 9])
    assert found.value == pytest.approx(6.5 / 12, abs=1e-6)
    assert (found.n, found.clusters) == (4, 4)


@given(
    left=st.lists(st.integers(0, 6), min_size=1, max_size=12),
    right=st.lists(st.integers(0, 6), min_size=1, max_size=12),
    clusters=st.integers(1, 4),
)
def test_an_auc_is_that_of_all_pairs_whatever_the_clusters(left, right, clusters):
    codes = [[n % clusters for n in range(len(values))] for values in (left, right)]
    found = separated(left, right, *codes)
    assert found.value == pytest.approx(pairs(left, right), abs=1e-6)
    back = separated(right, left, *codes[::-1])
    assert back.value == pytest.approx(1 - found.value, abs=2e-6)
    if found.low is not None:
        assert 0 <= found.low <= found.value <= found.high <= 1


def test_an_auc_depends_on_ranks_alone():
    left, right = [0.1, 0.5, 2.0, 2.5], [0.3, 0.5, 3.0]
    plain = separated(left, right)
    assert separated(np.exp(left), np.exp(right)) == plain
    assert separated(left[::-1], right[::-1]).value == plain.value


def test_groups_that_lie_apart_are_certain_only_with_many_clusters():
    def low(clusters):
        values = np.arange(clusters)
        return separated(values, values + clusters).low

    assert separated(range(8), range(8, 16)).value == 1.0
    assert low(2) < low(8) < low(40)
    assert 0.9 < low(200) < 1


def test_one_cluster_has_no_interval():
    found = separated([1, 2], [3, 4], [0, 0], [0, 1])
    assert (found.value, found.low, found.high) == (1.0, None, None)


def test_the_interval_contains_the_truth_although_people_differ_and_are_few():
    """8 and 12 people with 5 records each, whose values hang together; the true AUC is 0.5."""
    random = np.random.default_rng(3)
    inside = 0
    for _ in range(200):
        groups = [
            (random.normal(size=(people, 1)) + 0.3 * random.normal(size=(people, 5))).ravel()
            for people in (8, 12)
        ]
        codes = [np.repeat(np.arange(people), 5) for people in (8, 12)]
        found = separated(*groups, *codes)
        inside += found.low <= 0.5 <= found.high
    assert inside >= 186, "at least 93 % of 200, where 95 % are promised"
