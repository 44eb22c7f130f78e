"""The judge's value of an answer: by hand, by another route, and what is refused."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.errors import DataError
from kit.metrics.judgement import Judgement
from kit.metrics.rows import Further, measure, rows_of
from tests.toys.judged_result import JUDGED_LOGPROBS, REPLIES, judged_table
from tests.toys.results import NO_LIKELIHOODS, PROTOCOL
from tests.toys.signed_result import SYSTEMS, _tables


def rows_from(table, replies=REPLIES):
    records, sets, answers = _tables()
    judgement = None if table is None else Judgement(table, replies)
    families = () if table is None else ("judge",)
    measured = measure(
        records, sets, answers, NO_LIKELIHOODS, SYSTEMS,
        protocol=PROTOCOL, further=Further(families, judgement=judgement),
    )  # fmt: skip
    return rows_of(measured, draws=100, seed=1)


def value(rows, system, column):
    same = rows["system"].eq(system) & rows["column"].eq(column) & rows["metric"].eq("judged")
    (found,) = rows[same].to_dict("records")
    return found


def test_the_value_is_that_of_the_replies_weighted_by_their_probabilities():
    """Vanilla on p0: replies of probability 0.6 and 0.2 are 3/4 and 1/4; on p1 both are 0.1."""
    rows = rows_from(judged_table())
    found = value(rows, "vanilla", "efficacy")
    assert found["value"] == pytest.approx((0.75 + 0.5) / 2)
    assert (found["n"], found["better"]) == (2, "lower"), "what is to be forgotten"
    assert value(rows, "vanilla", "retain")["better"] == "higher"
    graded = rows_from(judged_table(), {"Yes": 0.8, "No": 0.4})
    assert value(graded, "vanilla", "efficacy")["value"] == pytest.approx(
        (0.75 * 0.8 + 0.25 * 0.4 + 0.5 * 0.8 + 0.5 * 0.4) / 2
    )


@settings(max_examples=15)
@given(st.lists(st.floats(-40, 0), min_size=2, max_size=2))
def test_two_replies_are_a_logistic_function_of_their_difference(logprobs):
    table = judged_table()
    mine = table["system"].eq("vanilla") & table["record_id"].isin(["p0", "p1"])
    table.loc[mine & table["reply"].eq("Yes"), "logprob"] = logprobs[0]
    table.loc[mine & table["reply"].eq("No"), "logprob"] = logprobs[1]
    expected = 1 / (1 + math.exp(logprobs[1] - logprobs[0]))
    found = value(rows_from(table), "vanilla", "efficacy")["value"]
    assert found == pytest.approx(expected, abs=1e-6)


def test_the_order_of_rows_changes_nothing():
    table = judged_table()
    mixed = table.sample(frac=1, random_state=np.random.RandomState(3))
    pd.testing.assert_frame_equal(rows_from(mixed), rows_from(table))


def test_without_a_judge_there_is_no_row():
    assert "judged" not in set(rows_from(None)["metric"])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t: t[1:], "system vanilla to record .* are not those asked for"),
        (lambda t: t[t["record_id"] != "p2"], "to record p2 are not those asked for"),
        (lambda t: pd.concat([t, t[:1]]), "occurs twice"),
        (lambda t: t.assign(reply="Maybe"), "is none that the manifest allows"),
        (lambda t: t.assign(logprob=0.5), "is not a log-probability"),
        (lambda t: t.assign(logprob=math.nan), "is not a log-probability"),
        (lambda t: t.assign(system="stranger"), "belongs to no system"),
        (lambda t: t.assign(record_id="p9"), "belongs to no record"),
    ],
)
def test_a_reply_that_is_missing_or_none_is_named(damage, message):
    assert set(JUDGED_LOGPROBS) == {system["name"] for system in SYSTEMS}
    with pytest.raises(DataError, match=message):
        rows_from(damage(judged_table()))
