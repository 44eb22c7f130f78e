"""Rows that rest on tokens are recomputed without a model, and a changed token is noticed."""

import json

import pandas as pd
import pytest

from kit.errors import VerificationError
from kit.result.layout import LIKELIHOODS, TOKENS
from kit.signing.sign import sign
from kit.verification.token_tables import require_tokens_agree
from kit.verification.verify import verify
from tests.toys.signed_result import KEY, TRUSTED, copy_of, edit_json, forge, rejects, remake
from tests.toys.token_result import ask_for, token_table, write_token_result, write_tokens

HELD_OUT = {"held_out_percent": 30}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return write_token_result(tmp_path_factory.mktemp("tokens") / "result", **HELD_OUT)


@pytest.fixture
def result(made, tmp_path):
    return copy_of(made, tmp_path)


def test_a_result_with_tokens_verifies_and_its_report_prints_the_metrics(result):
    sign(result, key=KEY)
    found = verify(result, trusted=TRUSTED)
    assert found.rows == len(pd.read_parquet(result / "rows.parquet"))
    page = (result / "report" / "report.md").read_text(encoding="utf-8")
    assert "all: `privleak/1`" in page
    assert "| `membership_reference/1` |" in page, "its definition"
    assert "Further metrics" in (result / "report" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("column", "value", "metric"),
    [("logprob", [-0.5, -0.75, 0.0], "probability"), ("rank", [2, 1, 1], "exact_memorisation")],
)
def test_a_changed_token_contradicts_the_rows(result, column, value, metric):
    table = token_table()
    table.at[0, column] = value
    write_tokens(result, table)
    forge(result)
    assert metric in rejects(result, VerificationError, "does not follow from the stored answers")


@pytest.mark.parametrize(("rank", "impossible"), [(1, False), (2, False), (3, True), (900, True)])
def test_a_rank_that_leaves_no_probability_is_refused(result, rank, impossible):
    """Two tokens of e^-0.8 = 0.449 are possible, and three are not."""
    table = token_table()
    table.at[0, "logprob"], table.at[0, "rank"] = [-0.8, -0.5, 0.0], [rank, 1, 1]
    write_tokens(result, table)
    remake(result)
    forge(result)
    if impossible:
        rejects(result, VerificationError, f"a token of -0.8 nats has rank {rank}")
    else:
        verify(result, trusted=TRUSTED)


def test_a_likelihood_is_the_sum_of_its_tokens():
    tokens = token_table()
    sums = tokens[["system", "record_id", "role", "text"]].assign(
        logprob=[sum(each) for each in tokens["logprob"]], tokens=3
    )
    tables = {TOKENS: tokens, LIKELIHOODS: sums}
    require_tokens_agree(tables)
    for column, value in (("logprob", sums["logprob"] + 0.01), ("tokens", 4)):
        with pytest.raises(VerificationError, match="its 3 tokens add up to"):
            require_tokens_agree(tables | {LIKELIHOODS: sums.assign(**{column: value})})
    require_tokens_agree({LIKELIHOODS: sums.assign(logprob=-9.0)})


def test_a_dropped_row_of_a_further_metric_is_missed(result):
    rows = pd.read_parquet(result / "rows.parquet")
    rows[rows["metric"] != "privleak"].to_parquet(result / "rows.parquet", index=False)
    forge(result)
    assert "privleak) is missing" in rejects(result, VerificationError, "does not follow")


def test_a_table_of_tokens_that_is_missing_is_missed(result):
    (result / TOKENS).unlink()
    forge(result)
    rejects(result, VerificationError, f"{TOKENS}.*\n.*asks for the metrics 'likelihood'")


def test_a_table_that_no_manifest_asks_for_is_refused(result):
    ask_for(result)
    forge(result)
    rejects(result, VerificationError, f"{TOKENS}.*\n.*does not ask for the metrics 'likelihood'")


def test_a_family_of_a_later_kit_is_told_by_its_metrics(result):
    ask_for(result, "likelihood", "telepathy")
    kit = json.loads((result / "run.json").read_text(encoding="utf-8"))["kit"]
    edit_json(result / "run.json", kit=kit | {"version": "99.0.0"})
    rows = pd.read_parquet(result / "rows.parquet")
    rows.loc[0, "metric"] = "telepathy_rate"
    rows.to_parquet(result / "rows.parquet", index=False)
    forge(result)
    rejects(result, VerificationError, "cannot compute version 1 of the metric telepathy_rate")
