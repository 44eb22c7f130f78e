"""Distances to Retain-only: means by hand, and what is missing or no distance is named."""

import math

import pandas as pd
import pytest

from kit.errors import DataError
from kit.metrics.rows import Further, measure, rows_of
from tests.toys.results import NO_LIKELIHOODS, PROTOCOL
from tests.toys.signed_result import SYSTEMS, _tables

GOLD = "retain_only-person"
RECORDS = {"p0": [0.5, 0.0], "p1": [0.25, 0.75], "p2": [0.0, 0.0], "e0": [1.0, 1.0]}


def table(**changed):
    rows = [
        (record, system, GOLD, changed.get(record, values), [1.25 * each for each in values])
        for system in ("vanilla", "person-npo-s1")
        for record, values in RECORDS.items()
    ]
    return pd.DataFrame(
        rows, columns=["record_id", "system", "reference", "divergence", "distance"]
    )


def rows_from(distances):
    records, sets, answers = _tables()
    measured = measure(
        records, sets, answers, NO_LIKELIHOODS, SYSTEMS,
        protocol=PROTOCOL, further=Further(("distance",), distances=distances),
    )  # fmt: skip
    return rows_of(measured, draws=100, seed=1)


def row(rows, system, metric, column):
    same = rows["system"].eq(system) & rows["metric"].eq(metric) & rows["column"].eq(column)
    (found,) = rows[same].to_dict("records")
    return found


def test_a_distance_is_the_mean_over_tokens_and_then_over_records():
    rows = rows_from(table())
    found = row(rows, "person-npo-s1", "divergence_from_retain_only", "efficacy")
    assert found["value"] == pytest.approx((0.25 + 0.5) / 2)
    assert (found["n"], found["clusters"]) == (2, 2)
    assert 0 <= found["low"] <= found["value"] <= found["high"] <= 1
    far = row(rows, "person-npo-s1", "activation_distance", "efficacy")
    assert far["value"] == pytest.approx(1.25 * 0.375)
    assert far["high"] <= math.sqrt(2)
    assert row(rows, "vanilla", "activation_distance", "retain")["value"] == 0.0


def test_retain_only_is_not_held_against_itself_and_an_empty_column_is_absent():
    rows = rows_from(table())
    own = row(rows, GOLD, "activation_distance", "efficacy")
    assert math.isnan(own["value"])
    assert "this is Retain-only" in own["reason"]
    assert "empty" in row(rows, "vanilla", "activation_distance", "generality")["reason"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t: t[1:], "a distance of system vanilla to retain_only-person is missing"),
        (lambda t: pd.concat([t, t[:1]]), "occur twice"),
        (lambda t: t.assign(reference="stranger"), "belong to no record or system"),
        (lambda _: table(p0=[0.5, 1.5]), "are no distances"),
        (lambda _: table(p0=[math.nan, 0.5]), "are no distances"),
        (lambda _: table(p0=[0.5]), "columns of several lengths"),
    ],
)
def test_what_is_missing_or_no_distance_is_named(damage, message):
    with pytest.raises(DataError, match=message):
        rows_from(damage(table()))
