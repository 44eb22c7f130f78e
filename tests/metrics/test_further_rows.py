"""Rows of further metrics: by hand, absent with a reason, and only where they are asked for."""

import math

import pandas as pd
import pytest

from kit.errors import DataError
from kit.metrics.rows import Further, measure, read_inputs, rows_of
from kit.metrics.stored_answers import read_tokens
from tests.toys.results import PROTOCOL
from tests.toys.signed_result import SYSTEMS
from tests.toys.token_result import token_table, write_token_result

HELD_OUT = {"held_out_percent": 30}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return read_inputs(write_token_result(tmp_path_factory.mktemp("tokens") / "result"))


@pytest.fixture(scope="module")
def rows(inputs):
    return rows_from(inputs, token_table())


def rows_from(inputs, tokens, options=HELD_OUT):
    further = Further(("likelihood",), options, tokens)
    return rows_of(measure(**{**inputs, "further": further}, protocol=PROTOCOL), draws=100, seed=7)


def row(rows, system, metric, column="all"):
    same = rows["system"].eq(system) & rows["metric"].eq(metric) & rows["column"].eq(column)
    (found,) = rows[same & rows["target"].eq("person")].to_dict("records")
    return found


def test_metrics_of_answers_are_rows_of_every_column(rows):
    found = row(rows, "vanilla", "probability", "efficacy")
    assert found["value"] == pytest.approx((math.exp(-1 / 3) + math.exp(-1)) / 2)
    assert (found["n"], found["clusters"]) == (2, 2)
    assert row(rows, "vanilla", "extraction_strength", "efficacy")["value"] == 0.75
    assert row(rows, "vanilla", "exact_memorisation", "retain")["value"] == 0.5
    assert row(rows, "vanilla", "probability", "scope")["n"] == 1


def test_membership_holds_the_forget_set_against_what_no_system_saw(rows):
    """Losses of p0 and p1 against that of p2: 1/3 and 1 against 2/3 for Vanilla."""
    values = {s["name"]: row(rows, s["name"], "membership_loss")["value"] for s in SYSTEMS}
    assert values == {"vanilla": 0.5, "person-npo-s1": 0.5, "retain_only-person": 0.5}
    # min-k takes one of three tokens: -0.5 and -1.5 against -1 for Vanilla.
    assert row(rows, "vanilla", "membership_min_k")["value"] == 0.5
    # Against Retain-only: 1/3 - 2 and 1 - 1/3 against 0 for Vanilla; 2/3 and -1/6 for NPO.
    assert row(rows, "vanilla", "membership_reference")["value"] == 0.5
    assert row(rows, "retain_only-person", "membership_reference")["value"] == 0.5, "all ties"
    assert row(rows, "person-npo-s1", "membership_loss")["low"] is None or math.isnan(
        row(rows, "person-npo-s1", "membership_loss")["low"]
    ), "one held-out person has no interval"


def test_privleak_is_relative_to_retain_only(inputs):
    table = token_table()
    for place in table.index[table["system"].eq("vanilla") & table["record_id"].eq("p1")]:
        table.at[place, "logprob"] = [-0.1, -0.1, 0.0]
    rows = rows_from(inputs, table)
    assert row(rows, "vanilla", "membership_min_k")["value"] == 1.0
    assert row(rows, "retain_only-person", "membership_min_k")["value"] == 0.5
    assert row(rows, "vanilla", "privleak")["value"] == -100.0
    assert row(rows, "retain_only-person", "privleak")["value"] == 0.0


def test_retain_only_that_looks_entirely_like_training_leaves_nothing_to_divide_by(inputs):
    table = token_table()
    mine = table["system"].eq("retain_only-person") & table["record_id"].isin(["p0", "p1"])
    for place in table.index[mine]:
        table.at[place, "logprob"] = [-0.1, -0.1, 0.0]
    found = row(rows_from(inputs, table), "vanilla", "privleak")
    assert math.isnan(found["value"])
    assert "nothing to divide by" in found["reason"]


def test_without_a_holdout_there_is_no_membership_and_no_default(inputs):
    rows = rows_from(inputs, token_table(), {"held_out_percent": 0})
    for name in ("membership_loss", "membership_reference", "privleak"):
        found = row(rows, "person-npo-s1", name)
        assert math.isnan(found["value"])
        assert "held_out_percent is not set" in found["reason"]


def test_without_retain_only_nothing_takes_its_place(inputs):
    systems = [each for each in SYSTEMS if each["method"] != "retain_only"]
    names = [each["name"] for each in systems]
    answers, tokens = (
        table[table["system"].isin(names)] for table in (inputs["answers"], token_table())
    )
    rows = rows_from({**inputs, "systems": systems, "answers": answers}, tokens)
    assert row(rows, "vanilla", "membership_loss")["value"] == 0.5
    for name in ("membership_reference", "privleak", "forget_quality"):
        assert "no Retain-only model" in row(rows, "vanilla", name)["reason"]


def test_quality_and_utility_need_truth_ratios_and_are_absent_with_the_reason(rows):
    for name in ("forget_quality", "forget_quality_distance"):
        assert "no truth ratio" in row(rows, "vanilla", name)["reason"]
    assert (
        row(rows, "vanilla", "model_utility")["reason"] == "no truth ratio in retain was measured"
    )


def test_a_result_that_asks_for_nothing_has_no_such_row_and_the_same_others(inputs, rows):
    measured = measure(**{**inputs, "further": Further()}, protocol=PROTOCOL)
    plain = rows_of(measured, draws=100, seed=7)
    assert not set(plain["metric"]) & {"probability", "privleak", "model_utility"}
    assert "all" not in set(plain["column"])
    kept = rows[rows["metric"].isin(set(plain["metric"]))].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, plain)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("record_id", "p9", "belongs to no record"),
        ("system", "stranger", "belongs to no system"),
        ("role", "guess", "has a role that is none of"),
        ("logprob", [0.5, -1.0, 0.0], "has a logprob that is none"),
        ("logprob", [float("nan")] * 3, "has a logprob that is none"),
        ("rank", [0, 1, 1], "has a rank that is none"),
        ("deviation", [1.0, 1.0], "columns of several lengths"),
        ("zlib_bytes", 0, "without bytes"),
    ],
)
def test_a_list_of_tokens_that_is_none_is_named(column, value, message):
    table = token_table()
    table.at[0, column] = value
    names = [system["name"] for system in SYSTEMS]
    with pytest.raises(DataError, match=message):
        read_tokens(table, dict.fromkeys(("p0", "p1", "p2", "e0")), names)


def test_a_doubled_or_missing_list_of_tokens_is_an_error(inputs):
    table = token_table()
    with pytest.raises(DataError, match="occurs twice"):
        rows_from(inputs, pd.concat([table, table[:1]]))
    with pytest.raises(DataError, match="the tokens of system vanilla for record p0 are not those"):
        rows_from(inputs, table[1:])
