"""Clusters whose size goes with their value are found, and others are not."""

import numpy as np
import pytest

from kit.metrics.cluster_sizes import LEVEL, size_matters


def answers(sizes, means):
    """Return answers about people: each person's share of right ones is as near as can be."""
    who = np.repeat(np.arange(len(sizes)), sizes)
    right = [np.arange(n) < round(mean * n) for n, mean in zip(sizes, means, strict=True)]
    return np.concatenate(right) * 1.0, who


def test_the_large_are_wrong_and_the_small_are_right():
    sizes = [40, 40, 40, 8, 8, 8, 8, 8, 8, 8, 8, 8]
    means = [0.0] * 3 + [1.0] * 9
    assert size_matters(*answers(sizes, means)), "1 order in 12 over 3 = 220 is as extreme"
    assert not size_matters(*answers(sizes, [0.0, 1.0, 1.0] * 4))


def test_one_of_twelve_is_not_enough():
    assert not size_matters(*answers([40] + [8] * 11, [0.0] + [1.0] * 11)), "p = 1 / 12"


@pytest.mark.parametrize("sizes", [[10] * 12, [40, 8, 8, 8, 8]])
def test_equal_sizes_or_five_clusters_show_nothing(sizes):
    means = [0.0] * (len(sizes) // 2) + [1.0] * (len(sizes) - len(sizes) // 2)
    assert not size_matters(*answers(sizes, means))


def test_what_has_no_value_does_not_count():
    values, who = answers([40, 40, 40] + [8] * 9, [0.0] * 3 + [1.0] * 9)
    values[who < 3] = np.nan
    assert not size_matters(values, who)
    assert not size_matters(np.full(5, np.nan), np.arange(5))


def test_unrelated_sizes_are_marked_as_rarely_as_the_level_says():
    rng = np.random.default_rng(4)
    marked = 0
    for _ in range(400):
        who = np.repeat(np.arange(16), rng.integers(8, 41, 16))
        marked += size_matters((rng.random(len(who)) < rng.beta(1, 1, 16)[who]) * 1.0, who)
    assert marked / 400 <= LEVEL + 0.02


@pytest.mark.parametrize("related", [True, False])
def test_many_clusters_are_tested_with_the_normal_distribution(related):
    sizes = [4, 12] * 300
    means = [1.0, 0.75] * 300 if related else [1.0, 1.0, 0.75, 0.75] * 150
    assert size_matters(*answers(sizes, means)) == related
