"""Rows that rest on gradients, and on what Vanilla read, are recomputed; tampering is noticed."""

import pandas as pd
import pytest

from kit.errors import VerificationError
from kit.result.layout import GRADIENTS, READ_BY_VANILLA
from kit.signing.sign import sign
from kit.verification.verify import verify
from tests.toys.score_result import gradient_table, read_table, write_score_result, write_scores
from tests.toys.signed_result import KEY, TRUSTED, copy_of, forge, rejects
from tests.toys.token_result import ask_for

TABLES = {GRADIENTS: gradient_table, READ_BY_VANILLA: read_table}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return write_score_result(tmp_path_factory.mktemp("scores") / "result", held_out_percent=30)


@pytest.fixture
def result(made, tmp_path):
    return copy_of(made, tmp_path)


def test_a_result_with_both_tables_verifies_and_its_report_prints_the_metrics(result):
    sign(result, key=KEY)
    assert verify(result, trusted=TRUSTED).rows == len(pd.read_parquet(result / "rows.parquet"))
    page = (result / "report" / "report.md").read_text(encoding="utf-8")
    for metric in ("membership_gradient/1", "privleak_gradient/1", "perplexity/1"):
        assert f"`{metric}`" in page
        assert f"| `{metric}` |" in page, "its definition"


@pytest.mark.parametrize(
    ("table", "column", "value", "metric"),
    [
        (GRADIENTS, "norm", 7.0, "membership_gradient"),
        (READ_BY_VANILLA, "logprob", -9.0, "perplexity"),
        (READ_BY_VANILLA, "logprob", -9.0, "probability_under_vanilla"),
        (READ_BY_VANILLA, "tokens", 9, "perplexity"),
    ],
)
def test_a_changed_number_contradicts_the_rows(result, table, column, value, metric):
    changed = TABLES[table]()
    changed.at[0, column] = value
    write_scores(result, table, changed)
    forge(result)
    assert metric in rejects(result, VerificationError, "does not follow from the stored answers")


@pytest.mark.parametrize("table", TABLES)
def test_a_row_that_is_left_out_is_missed(result, table):
    write_scores(result, table, TABLES[table]()[1:])
    forge(result)
    rejects(result, VerificationError, "cannot be recomputed from the stored answers")


@pytest.mark.parametrize(
    ("table", "group"), [(GRADIENTS, "gradient"), (READ_BY_VANILLA, "fluency")]
)
def test_a_table_is_there_if_and_only_if_the_manifest_asks_for_it(result, table, group):
    other = next(name for name in ("gradient", "fluency") if name != group)
    ask_for(result, other, held_out_percent=30)
    forge(result)
    rejects(result, VerificationError, f"{table}.*\n.*does not ask for the metrics '{group}'")
    ask_for(result, "gradient", "fluency", held_out_percent=30)
    (result / table).unlink()
    forge(result)
    rejects(result, VerificationError, f"{table}.*\n.*asks for the metrics '{group}'")
