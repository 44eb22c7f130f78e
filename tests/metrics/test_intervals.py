"""Printed intervals contain the truth as often as they say, and depend on values alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.errors import DataError
from kit.metrics.intervals import DIFFERENCES, FEW_CLUSTERS, INTERVAL, NOTES, Intervals
from kit.metrics.rows import measure, rows_of
from kit.metrics.statistics import bounded_mean
from tests.toys.people import (
    EQUAL,
    METHODS,
    PRINTED,
    UNEQUAL,
    coverage,
    difference,
    people,
    printed,
    rates,
)
from tests.toys.results import PROTOCOL, toy_inputs

# The worst cells of tests/bench/coverage.py for this or another method.
HARD = (
    (8, EQUAL, 0.97, 0.5),
    (8, UNEQUAL, 0.95, 1.0),
    (16, UNEQUAL, 0.95, 0.5),
    (16, EQUAL, 0.5, 1.0),
    (40, UNEQUAL, 0.97, 0.5),
    (40, EQUAL, 0.7, 0.5),
)
RUNS = 400
PROMISED = 0.93

tables = st.lists(
    st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.integers(0, 6)), min_size=1, max_size=40
)


@pytest.mark.parametrize(("clusters", "how", "rate", "alike"), HARD)
def test_the_interval_contains_the_mean_in_at_least_93_of_100_runs(clusters, how, rate, alike):
    right, _ = coverage(lambda rng: people(rng, clusters, how, rate, alike), rate, printed, RUNS)
    assert right >= PROMISED


@pytest.mark.parametrize("method", [name for name in METHODS if name != "printed"])
def test_each_simpler_interval_fails_somewhere(method):
    """The reason for the kit's own; and that the simulation can tell a bad interval at all."""
    found = [
        coverage(lambda rng, c=cell: people(rng, *c), cell[2], METHODS[method], RUNS // 2)[0]
        for cell in HARD
    ]
    assert min(found) < PROMISED - 0.03


@pytest.mark.parametrize(("one", "other"), [(0.97, 0.9), (0.97, 0.03), (0.5, 0.5)])
def test_the_interval_contains_the_difference_of_two_systems(one, other):
    def draw(rng):
        left, who = people(rng, 8, UNEQUAL, one, 0.5)
        return left - (rng.random(len(who)) < rates(rng, 8, other, 0.5)[who]), who

    right, width = coverage(draw, one - other, difference, RUNS)
    assert right >= PROMISED
    assert width < 1.2


@pytest.mark.parametrize(("clusters", "open_share"), [(2, 0.84), (4, 0.60), (8, 0.37), (16, 0.21)])
def test_clusters_that_agree_leave_what_the_note_says(clusters, open_share):
    found = Intervals(20_000, 0).mean(np.ones(clusters), np.arange(clusters))
    assert (found.value, found.high) == (1.0, 1.0)
    assert 1 - found.low == pytest.approx(1 - 0.025 ** (1 / clusters), abs=0.006)
    assert round(1 - 0.025 ** (1 / clusters), 2) == open_share


@given(tables)
@settings(deadline=None)
def test_the_interval_contains_its_value_and_stays_within_the_limits(table):
    values, clusters = (np.array(each) for each in zip(*table, strict=True))
    found = PRINTED.mean(values, clusters)
    assert found.value == pytest.approx(values.mean())
    if found.clusters > 1:
        assert 0 <= found.low <= found.value <= found.high <= 1
    else:
        assert (found.low, found.high) == (None, None), "one cluster shows no spread"


@given(tables, st.permutations(range(7)))
@settings(deadline=None, max_examples=40)
def test_only_values_and_clusters_count_not_names_or_order(table, names):
    values, clusters = (np.array(each) for each in zip(*table, strict=True))
    renamed = np.array(names)[clusters]
    order = np.argsort(renamed, kind="stable")
    first = PRINTED.mean(values, clusters)
    assert PRINTED.mean(values[order], renamed[order]) == first
    noise = 1e-13 * np.arange(len(values))
    assert PRINTED.mean(values + noise, clusters).low == first.low, "nor the last digits"


def test_the_printed_interval_contains_the_bounds_that_decide_claims():
    """A table can never exclude a threshold that a verdict calls possible."""
    rng = np.random.default_rng(3)
    for rate in (0.1, 0.5, 0.9, 0.99):
        values, who = people(rng, 9, UNEQUAL, rate, 0.3)
        wide = Intervals(10_000, 0).mean(values, who)
        sure = bounded_mean(values, who, limits=(0, 1), key=("v",))
        assert wide.low <= sure.low + 0.003
        assert wide.high >= sure.high - 0.003


def test_rows_are_made_in_the_version_that_is_asked_for():
    measured = measure(**toy_inputs(), protocol=PROTOCOL)
    rows = {v: rows_of(measured, draws=200, seed=0, interval=v) for v in NOTES}
    newest = rows_of(measured, draws=200, seed=0)
    assert newest.equals(rows[INTERVAL])
    same = [name for name in newest if name not in ("low", "high")]
    assert rows[1][same].equals(newest[same])
    width = {v: (rows[v]["high"] - rows[v]["low"]).mean() for v in NOTES}
    assert width[2] > width[1], "the percentile interval is too narrow"


def test_bounds_are_pinned():
    """Fails if the draws change: stored results would no longer verify."""
    found = Intervals(1000, 0).mean(np.array([n / 10 for n in range(11)]), np.arange(11))
    assert (found.low, found.high) == (0.273804, 0.724064)
    apart = Intervals(1000, 0).mean(np.linspace(-1, 1, 9), np.arange(9), limits=DIFFERENCES)
    assert (apart.low, apart.high) == (-0.488257, 0.50652)


def test_a_version_that_this_kit_does_not_have_is_refused_by_its_number():
    with pytest.raises(DataError, match="no version 9 of the intervals"):
        Intervals(1000, 0, version=9)
    assert set(FEW_CLUSTERS) == set(NOTES)
