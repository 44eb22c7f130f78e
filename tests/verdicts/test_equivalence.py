"""Equivalence: right by hand, and as seldom wrong as it promises, against records and seeds."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.metrics.statistics import Estimate, bounded_mean
from kit.verdicts.equivalence import (
    against_records,
    against_seeds,
    agreement,
    equivalent,
    kappa,
    within_limit,
)
from kit.verdicts.outcome import Outcome

KEY = ("test",)
LIMITS = (-1.0, 1.0)


def paired(ours, reference, units=None, margin=0.1, key=KEY):
    ours, reference = np.array(ours, float), np.array(reference, float)
    units = np.arange(len(ours)) if units is None else np.array(units)
    return against_records(ours, reference, units, limits=LIMITS, margin=margin, key=key)


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (-0.05, 0.09, "REPRODUCED"), (-0.1, 0.1, "REPRODUCED"), (-0.05, 0.2, "INCONCLUSIVE"),
        (-0.3, 0.3, "INCONCLUSIVE"), (0.11, 0.3, "NOT_REPRODUCED"),
        (-0.3, -0.11, "NOT_REPRODUCED"), (0.02, 0.3, "INCONCLUSIVE"),
    ],
)  # fmt: skip
def test_only_an_interval_within_the_margin_is_equivalent(low, high, outcome):
    assert equivalent(Estimate((low + high) / 2, 9, 9, low, high), 0.1)[0] == outcome


@pytest.mark.parametrize("found", [Estimate(0, 0, 0, 0, 0), Estimate(0, 5, 1, None, None)])
def test_nothing_is_equivalent_without_answers_or_an_interval(found):
    assert equivalent(found, 0.5)[0] is Outcome.INCONCLUSIVE


def test_sixty_equal_records_leave_less_than_five_points_open_and_four_people_half():
    same = [1.0] * 60
    by_record = paired(same, same)
    by_person = paired(same, same, np.repeat(np.arange(4), 15))
    assert by_record.outcome is Outcome.REPRODUCED
    assert by_record.detectable == pytest.approx(1 - 0.05 ** (1 / 60), abs=0.004)
    assert by_person.outcome is Outcome.INCONCLUSIVE
    assert by_person.high == pytest.approx(1 - 0.05 ** (1 / 4), abs=0.012)


def test_every_record_turned_round_is_not_equivalent():
    found = paired([0.0] * 40, [1.0] * 40)
    assert (found.outcome, found.difference) == (Outcome.NOT_REPRODUCED, -1.0)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20))
@settings(deadline=None, max_examples=30)
def test_a_difference_turns_its_sign_when_the_results_change_places(pairs):
    ours, reference = zip(*pairs, strict=True)
    one, two = paired(ours, reference), paired(reference, ours)
    assert one.difference == pytest.approx(-two.difference, abs=1e-6)
    assert one.low <= one.difference <= one.high
    assert two.low <= two.difference <= two.high


def tost(ours, reference, margin, key):
    """Return the verdict as `against_records` does, from fewer draws."""
    units = np.arange(len(ours))
    found = bounded_mean(ours - reference, units, limits=LIMITS, key=key, draws=500)
    return equivalent(found, margin)[0]


def redrawn(rng, share, rate=0.8, n=400):
    """Return two results' 0/1 values that differ because `share` of the answers is drawn anew."""
    reference = (rng.random(n) < rate) * 1.0
    again = rng.random(n) < share
    return np.where(again, (rng.random(n) < rate) * 1.0, reference), reference


def test_results_that_are_the_margin_apart_are_called_equal_in_at_most_six_of_a_hundred_runs():
    rng, wrong, runs = np.random.default_rng(1), 0, 600
    for run in range(runs):
        reference = (rng.random(200) < 0.8) * 1.0
        lost = reference * (rng.random(200) < 0.1 / 0.8)  # one in eight of the right ones is lost
        wrong += tost(reference - lost, reference, 0.1, (run,)) is Outcome.REPRODUCED
    assert wrong / runs <= 0.06


@pytest.mark.parametrize(
    ("n", "margin", "least"), [(400, 0.05, 0.97), (400, 0.03, 0.70), (200, 0.05, 0.80)]
)
def test_equal_results_are_called_equal_as_often_as_the_number_of_answers_allows(n, margin, least):
    """With 10 % of the answers drawn anew; a percentile bootstrap has 1.0, 0.89 and 0.98 here."""
    rng, found = np.random.default_rng(2), 0
    for run in range(150):
        ours, reference = redrawn(rng, 0.1, n=n)
        found += tost(ours, reference, margin, (run,)) is Outcome.REPRODUCED
    assert found / 150 >= least


# ---- against seeds


def test_the_prediction_interval_is_that_of_the_formula():
    """Mean 0.80, s = 0.02, N = 5, n = 1: t(0.95, 4) s sqrt(1.2) = 2.1318 x 0.02 x 1.0954."""
    seeds = [0.80 + 0.02 * x for x in (-1.2649, -0.6325, 0, 0.6325, 1.2649)]
    assert np.std(seeds, ddof=1) == pytest.approx(0.02, abs=1e-4)
    found = against_seeds(0.81, 1, seeds, records=1000, margin=0.1)
    assert found.detectable == pytest.approx(2.1318 * 0.02 * math.sqrt(1.2), abs=1e-4)
    assert found.outcome is Outcome.REPRODUCED
    outside = against_seeds(0.80 + 0.062, 1, seeds, records=1000, margin=0.1)
    assert outside.outcome is Outcome.NOT_REPRODUCED  # 0.062 > 2.7764 x 0.02 x 1.0954 = 0.0608
    inside = against_seeds(0.80 + 0.059, 1, seeds, records=1000, margin=0.1)
    assert inside.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(("seeds", "runs", "width"), [(5, 1, 2.34), (5, 3, 1.557), (3, 1, 3.37)])
def test_the_detectable_effect_in_standard_deviations(seeds, runs, width):
    values = np.linspace(0.3, 0.7, seeds)
    found = against_seeds(0.5, runs, values.tolist(), records=10_000, margin=0.9)
    assert found.detectable / np.std(values, ddof=1) == pytest.approx(width, abs=0.01)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_seeds_say_nothing_of_a_spread(count):
    found = against_seeds(0.5, 1, [0.5] * count, records=60, margin=0.5)
    assert found.outcome is Outcome.SKIPPED
    assert f"{count} seeds" in found.reason


def test_a_spread_that_cannot_be_seen_is_not_taken_for_none():
    found = against_seeds(1.0, 1, [1.0] * 3, records=60, margin=0.1)
    assert found.outcome is Outcome.REPRODUCED
    assert found.detectable == pytest.approx(2.92 * 0.5 / 60 * math.sqrt(4 / 3), abs=1e-3)
    assert against_seeds(1.0, 1, [1.0] * 3, records=10, margin=0.1).outcome is Outcome.INCONCLUSIVE


def test_another_seed_of_the_same_training_is_seldom_refused():
    rng, runs = np.random.default_rng(3), 4000
    drawn = rng.normal(0.6, 0.05, (runs, 6))
    refused = sum(
        against_seeds(x[5], 1, x[:5].tolist(), records=500, margin=0.05).outcome
        is Outcome.NOT_REPRODUCED
        for x in drawn
    )
    assert refused / runs <= 0.06


def test_another_training_that_is_the_margin_away_is_seldom_accepted():
    rng, runs = np.random.default_rng(4), 4000
    drawn = rng.normal(0.6, 0.02, (runs, 6))
    drawn[:, 5] += 0.1
    accepted = sum(
        against_seeds(x[5], 1, x[:5].tolist(), records=500, margin=0.1).outcome
        is Outcome.REPRODUCED
        for x in drawn
    )
    assert accepted / runs <= 0.06


def test_agreement_and_kappa_by_hand():
    """Both right 4, both wrong 2, one of them 1 and 1: agreement 6/8, chance (25 + 9) / 64."""
    ours = np.array([1, 1, 1, 1, 0, 0, 1, 0.0])
    reference = np.array([1, 1, 1, 1, 0, 0, 0, 1.0])
    assert agreement(ours, reference) == 0.75
    assert kappa(ours, reference) == pytest.approx((0.75 - 34 / 64) / (1 - 34 / 64), abs=1e-6)
    assert kappa(np.ones(4), np.ones(4)) is None
    assert kappa(np.array([0.5, 1]), np.array([0.5, 1])) is None


# ---- a fresh seed and the limit that was declared for it


@pytest.mark.parametrize(
    ("value", "reference", "outcome"),
    [
        (0.69, (0.5, 0.6, 0.7), "REPRODUCED"),
        (0.50, (0.5, 0.6, 0.7), "REPRODUCED"),
        # t(0.975, 2) x 0.1 x sqrt(1/3 + 1) = 0.497: such a seed is not unlike these three.
        (0.95, (0.5, 0.6, 0.7), "INCONCLUSIVE"),
        (0.95, (0.60, 0.60, 0.61), "NOT_REPRODUCED"),
        (0.60, (0.60, 0.60), "SKIPPED"),
    ],
)
def test_a_value_within_the_limit_is_reproduced_however_far_the_reference_spreads(
    value, reference, outcome
):
    found = within_limit(value, 1, reference, records=60, margin=0.1)
    assert found.outcome == outcome
    assert bool(found.reason) == (outcome != "REPRODUCED")
    if outcome == "REPRODUCED":
        older = against_seeds(value, 1, reference, records=60, margin=0.1)
        assert older.outcome is Outcome.INCONCLUSIVE, "three seeds alone could not decide"


@given(st.floats(0, 1), st.lists(st.floats(0, 1), min_size=3, max_size=9), st.floats(0.01, 0.5))
def test_the_limit_alone_decides_what_is_reproduced(value, reference, margin):
    found = within_limit(value, 1, reference, records=60, margin=margin)
    assert (found.outcome is Outcome.REPRODUCED) == (abs(found.difference) <= margin)
