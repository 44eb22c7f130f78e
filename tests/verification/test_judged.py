"""What a judge says is recomputed from its replies; tampering is noticed."""

import json

import pandas as pd
import pytest

from kit.digests import sha256_value
from kit.errors import VerificationError
from kit.result.layout import JUDGED
from kit.signing.sign import sign
from kit.verification.verify import verify
from tests.toys.judged_result import judged_table, write_judged_result
from tests.toys.score_result import write_scores
from tests.toys.signed_result import KEY, TRUSTED, copy_of, edit_json, forge, rejects


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return write_judged_result(tmp_path_factory.mktemp("judged") / "result")


@pytest.fixture
def result(made, tmp_path):
    return copy_of(made, tmp_path)


def change(result, **values):
    """Change the section of the judge in run.json."""
    manifest = json.loads((result / "run.json").read_text(encoding="utf-8"))["manifest"]
    manifest["judge"] |= values
    edit_json(result / "run.json", manifest=manifest, manifest_digest=sha256_value(manifest))


def test_a_result_with_a_judge_verifies_and_its_report_prints_the_metric(result):
    sign(result, key=KEY)
    assert verify(result, trusted=TRUSTED).rows == len(pd.read_parquet(result / "rows.parquet"))
    assert "| `judged/1` |" in (result / "report" / "report.md").read_text(encoding="utf-8")


def test_a_changed_reply_contradicts_the_rows(result):
    table = judged_table()
    table.at[0, "logprob"] = -9.0
    write_scores(result, JUDGED, table)
    forge(result)
    assert "judged" in rejects(result, VerificationError, "does not follow from the stored answers")


def test_another_value_of_a_reply_contradicts_the_rows(result):
    change(result, replies={"Yes": 1.0, "No": 0.5})
    forge(result)
    rejects(result, VerificationError, "judged.*does not follow|does not follow")


def test_a_reply_that_is_left_out_is_missed(result):
    write_scores(result, JUDGED, judged_table()[1:])
    forge(result)
    rejects(result, VerificationError, "cannot be recomputed from the stored answers")


@pytest.mark.parametrize("replies", [{"Yes": 2.0, "No": 0.0}, {"Yes": "1", "No": 0}, {"Yes": 1}, 3])
def test_values_that_are_none_are_refused(result, replies):
    change(result, replies=replies)
    forge(result)
    rejects(result, VerificationError, "manifest.judge.replies")


def test_without_its_table_it_is_missed(result):
    (result / JUDGED).unlink()
    forge(result)
    rejects(result, VerificationError, f"{JUDGED}.*\n.*asks for the metrics 'judge'")


def test_the_files_of_the_judge_are_named(result):
    run = json.loads((result / "run.json").read_text(encoding="utf-8"))
    edit_json(result / "run.json", sources=run["sources"][:-1])
    forge(result)
    rejects(result, VerificationError, "judge")
