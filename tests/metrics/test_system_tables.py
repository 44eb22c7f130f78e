"""Rows from gradient norms and from what Vanilla read: by hand, absent, and refused."""

import math

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.errors import DataError
from kit.metrics.rows import Further, measure, rows_of
from tests.toys.results import NO_LIKELIHOODS, PROTOCOL
from tests.toys.score_result import READ, gradient_table, read_table
from tests.toys.signed_result import SYSTEMS, _tables

HELD_OUT = {"held_out_percent": 30}
GOLD = "retain_only-person"


def rows_from(gradients=None, read=None, options=HELD_OUT, systems=SYSTEMS):
    records, sets, answers = _tables()
    names = [system["name"] for system in systems]
    groups = tuple(
        group for group, table in (("gradient", gradients), ("fluency", read)) if table is not None
    )
    measured = measure(
        records, sets, answers[answers["system"].isin(names)], NO_LIKELIHOODS, systems,
        protocol=PROTOCOL, further=Further(groups, options, gradients=gradients, read=read),
    )  # fmt: skip
    return rows_of(measured, draws=100, seed=1)


def row(rows, system, metric, column="all"):
    same = rows["system"].eq(system) & rows["metric"].eq(metric) & rows["column"].eq(column)
    (found,) = rows[same & rows["target"].eq("person")].to_dict("records")
    return found


def test_the_auc_of_gradients_counts_pairs_of_forget_set_and_holdout():
    """Vanilla: 1 and 2 are below 4. NPO: 3 is below 5, 9 is not. Retain-only: 5 is not, 4 ties."""
    rows = rows_from(gradient_table())
    found = {s["name"]: row(rows, s["name"], "membership_gradient") for s in SYSTEMS}
    assert {name: each["value"] for name, each in found.items()} == {
        "vanilla": 1.0, "person-npo-s1": 0.5, GOLD: 0.25,
    }  # fmt: skip
    assert found["vanilla"]["n"] == 2
    # 100 ((1 - AUC) - 0.75) / 0.75
    leaks = {s["name"]: row(rows, s["name"], "privleak_gradient")["value"] for s in SYSTEMS}
    assert leaks == {
        "vanilla": -100.0, "person-npo-s1": pytest.approx(-100 / 3, abs=1e-5), GOLD: 0.0,
    }  # fmt: skip


def test_gradients_are_absent_with_the_reason():
    empty = gradient_table()[:0]
    for name in ("membership_gradient", "privleak_gradient"):
        found = row(rows_from(empty, options={}), "vanilla", name)
        assert math.isnan(found["value"])
        assert "held_out_percent is not set" in found["reason"]
    alone = [system for system in SYSTEMS if system["name"] != GOLD]
    own = gradient_table()
    rows = rows_from(own[own["system"] != GOLD], systems=alone)
    assert row(rows, "vanilla", "membership_gradient")["value"] == 1.0
    assert "no Retain-only model" in row(rows, "vanilla", "privleak_gradient")["reason"]


def test_perplexity_is_e_to_the_mean_loss_worked_out_by_hand():
    """NPO in Efficacy: -12 and -4 of two tokens each are losses of 6 and 2 nats, mean 4."""
    rows = rows_from(read=read_table())
    found = row(rows, "person-npo-s1", "perplexity", "efficacy")
    assert found["value"] == pytest.approx(math.exp(4))
    assert (found["n"], found["clusters"]) == (2, 2)
    assert math.isnan(found["low"]), "no upper limit, no interval"
    assert row(rows, "vanilla", "perplexity", "efficacy")["value"] == pytest.approx(math.exp(0.25))
    assert row(rows, GOLD, "perplexity", "retain")["value"] == pytest.approx(math.exp(0.5))
    assert "is empty" in row(rows, GOLD, "perplexity", "generality")["reason"]
    share = row(rows, "person-npo-s1", "probability_under_vanilla", "efficacy")
    assert share["value"] == pytest.approx((math.exp(-6) + math.exp(-2)) / 2)
    assert 0 <= share["low"] < share["value"] < share["high"] <= 1
    scope = row(rows, "person-npo-s1", "probability_under_vanilla", "scope")
    assert scope["value"] == pytest.approx(math.exp(-2)), "of every concept"


def test_a_loss_without_limit_is_a_perplexity_that_can_be_stored():
    table = read_table()
    table["logprob"] = -1e8
    assert row(rows_from(read=table), "vanilla", "perplexity", "retain")["value"] == pytest.approx(
        math.exp(100), rel=1e-9
    )


@settings(max_examples=12)
@given(st.lists(st.floats(-20, 0), min_size=2, max_size=2))
def test_perplexity_is_at_least_one_and_at_least_that_of_the_mean_probability(sums):
    """Jensen: the mean of 1 / perplexity is at least the 1 / perplexity of the mean loss."""
    table = read_table()
    mine = table["system"].eq("vanilla") & table["record_id"].isin(["p0", "p1"])
    table.loc[mine, "logprob"] = sums
    rows = rows_from(read=table)
    found = row(rows, "vanilla", "perplexity", "efficacy")["value"]
    share = row(rows, "vanilla", "probability_under_vanilla", "efficacy")["value"]
    assert found >= 1
    assert share >= (1 / found) * (1 - 1e-5)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t: t[1:], "gradient norm of system vanilla for record p0 is missing"),
        (lambda t: pd.concat([t, t[:1]]), "vanilla for record p0 occurs twice"),
        (lambda t: t.assign(system="stranger"), "belongs to no system"),
        (lambda t: t.assign(record_id="p9"), "belongs to no record"),
        (lambda t: t.assign(norm=-1.0), "is no norm"),
        (lambda t: t.assign(norm=math.nan), "is no norm"),
        (lambda t: t.assign(norm=math.inf), "is no norm"),
    ],
)
def test_a_norm_that_is_missing_or_none_is_named(damage, message):
    with pytest.raises(DataError, match=message):
        rows_from(damage(gradient_table()))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t: t[t["record_id"] != "p2"], "record p2 was not read by Vanilla"),
        (lambda t: pd.concat([t, t[:1]]), "occurs twice"),
        (lambda t: t.assign(logprob=0.5), "is not a log-probability"),
        (lambda t: t.assign(logprob=math.nan), "is not a log-probability"),
        (lambda t: t.assign(tokens=0), "has no tokens"),
        (lambda t: t.assign(system="stranger"), "belongs to no system"),
    ],
)
def test_an_answer_that_was_not_read_is_named(damage, message):
    with pytest.raises(DataError, match=message):
        rows_from(read=damage(read_table()))


def test_without_a_group_there_is_none_of_its_rows():
    assert set(READ) == {system["name"] for system in SYSTEMS}
    names = set(rows_from()["metric"])
    assert not names & {"perplexity", "probability_under_vanilla", "membership_gradient"}
    assert "repetition" in names, "of the answers alone, in every result"
