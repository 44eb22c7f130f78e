"""Numbers that do not follow from the stored answers fail, although a trusted key signed them."""

import json
import os

import pandas as pd
import pytest

from kit.digests import canonical_json, sha256_bytes
from kit.errors import VerificationError
from kit.report import write_report
from kit.report.metadata import write_metadata
from kit.signing.sign import sign
from kit.verification.verify import verify
from tests.toys.signed_result import ANSWERS, KEY, TRUSTED, edit_json, edit_table, rejects


def edited_answer(result):
    edit_table(result / ANSWERS, 0, "text", "Ann1 Lee")


def edited_value(result):
    rows = pd.read_parquet(result / "rows.parquet")
    edit_table(result / "rows.parquet", rows["value"].first_valid_index(), "value", 0.123)


def edited_n(result):
    edit_table(result / "rows.parquet", 0, "n", 400)


def edited_reason(result):
    edit_table(result / "rows.parquet", 0, "reason", "not run")


def dropped_row(result):
    pd.read_parquet(result / "rows.parquet").iloc[1:].to_parquet(
        result / "rows.parquet", index=False
    )


def dropped_answer(result):
    pd.read_parquet(result / ANSWERS).iloc[1:].to_parquet(result / ANSWERS, index=False)


def doubled_answer(result):
    answers = pd.read_parquet(result / ANSWERS)
    pd.concat([answers, answers[:1]]).to_parquet(result / ANSWERS, index=False)


def empty_cell(result):
    edit_table(result / ANSWERS, 0, "text", None)


def other_dtype(result):
    rows = pd.read_parquet(result / "rows.parquet")
    rows.astype({"n": "float64"}).to_parquet(result / "rows.parquet", index=False)


def extra_column(result):
    answers = pd.read_parquet(result / ANSWERS)
    answers.assign(judge=1.0).to_parquet(result / ANSWERS, index=False)


def hidden_index(result):
    answers = pd.read_parquet(result / ANSWERS)
    answers.set_index("record_id").to_parquet(result / ANSWERS)


def cut_parquet(result):
    os.truncate(result / ANSWERS, (result / ANSWERS).stat().st_size - 5)


def empty_parquet(result):
    os.truncate(result / "rows.parquet", 0)


def other_seed(result):
    run = json.loads((result / "run.json").read_text(encoding="utf-8"))
    run["manifest"]["report"]["seed"] += 1
    edit_json(result / "run.json", manifest=run["manifest"])


def fewer_records_in_the_sets(result):
    pd.read_parquet(result / "sets.parquet").iloc[:1].to_parquet(
        result / "sets.parquet", index=False
    )


def dropped_keywords(result):
    records = pd.read_parquet(result / "records.parquet")
    edited = [[] for _ in range(len(records))]
    records.assign(keywords=edited).to_parquet(result / "records.parquet", index=False)


def no_systems(result):
    edit_json(result / "run.json", systems=[])


def doubled_system(result):
    systems = json.loads((result / "run.json").read_text(encoding="utf-8"))["systems"]
    edit_json(result / "run.json", systems=systems + systems[:1])


def untyped_system(result):
    edit_json(result / "run.json", systems=[{"name": "vanilla"}])


def edited_table(result):
    path = result / "report" / "table1.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("NPO", "Ours"), encoding="utf-8")


def edited_page(result):
    path = result / "report" / "report.html"
    path.write_text(path.read_text(encoding="utf-8") + "<p>Best method.</p>", encoding="utf-8")


def missing_page(result):
    (result / "report" / "report.md").unlink()


def added_page(result):
    (result / "report" / "appendix.html").touch()


def other_line_ends(result):
    path = result / "report" / "rows.csv"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def untyped_guards(result):
    edit_json(result / "run.json", guards=7)


def other_schema(result):
    edit_json(result / "run.json", schema="pebench-kit/run/3")


def no_rows(result):
    (result / "rows.parquet").unlink()


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (edited_answer, "rows.parquet does not follow from the stored answers"),
        (edited_value, r"row \(.*\): value is 0.123, recomputed "),
        (edited_n, r"row \(.*\): n is 400, recomputed "),
        (edited_reason, r"row \(.*\): reason is 'not run', recomputed ''"),
        (dropped_row, "rows are stored"),
        (dropped_answer, "a sample of 12, more than the 11 stored answers"),
        (doubled_answer, "a sample of 12, not of 13 to 13"),
        (empty_cell, "empty cells"),
        (other_dtype, "rows.parquet has other columns than it should"),
        (extra_column, "answers.parquet has other columns than it should"),
        (hidden_index, "answers.parquet has other columns than it should"),
        (cut_parquet, "answers.parquet cannot be used"),
        (empty_parquet, "rows.parquet cannot be used"),
        (other_seed, "manifest_digest is not the digest of its manifest"),
        (fewer_records_in_the_sets, "p1 is in no column"),
        (dropped_keywords, "rows.parquet does not follow|cannot be recomputed"),
        (no_systems, "its systems are not a list"),
        (doubled_system, "names a system twice"),
        (untyped_system, "its systems are not a list"),
        (edited_table, "report/table1.csv: line 3, Method is 'Ours', recomputed 'NPO'"),
        (edited_page, "report/report.html: "),
        (missing_page, "report/report.md: missing"),
        (added_page, "report/appendix.html: no file of a report"),
        (other_line_ends, "report/rows.csv: .* lines, recomputed"),
        (untyped_guards, "run.json cannot be used(.|\n)*guards: Input should be"),
        (other_schema, "is of a later version of the kit: its schema is pebench-kit/run/3"),
        (no_rows, "the signed result has no rows.parquet"),
    ],
)
def test_what_does_not_follow_from_the_answers_fails_although_signed(damaged, tamper, reason):
    tamper(damaged)
    sign(damaged, key=KEY)
    rejects(damaged, VerificationError, reason)


def test_an_interval_may_differ_in_its_last_decimal_and_no_more(damaged):
    rows = pd.read_parquet(damaged / "rows.parquet")
    row = rows["low"].first_valid_index()
    for shift in (1e-12, 1e-9):
        edit_table(damaged / "rows.parquet", row, "low", rows["low"][row] + shift)
        write_report(damaged)
        write_metadata(damaged)
        sign(damaged, key=KEY)
        if shift == 1e-12:
            verify(damaged, trusted=TRUSTED)
        else:
            rejects(damaged, VerificationError, "row .*: low is")


@pytest.mark.parametrize(
    "settings", [{}, {"bootstrap_draws": 10**9, "seed": 0}, {"bootstrap_draws": True, "seed": 0}]
)
def test_a_signed_run_cannot_ask_for_endless_work(damaged, settings):
    manifest = {"name": "tiny", "report": settings}
    digest = sha256_bytes(canonical_json(manifest))
    edit_json(damaged / "run.json", manifest=manifest, manifest_digest=digest)
    sign(damaged, key=KEY)
    rejects(damaged, VerificationError, "manifest.report.bootstrap_draws is")


@pytest.mark.parametrize("loader", ["nobody", "../pebench", "pebench_table", "", None, 7])
def test_a_signed_run_cannot_name_a_benchmark_that_is_not_there(damaged, loader):
    run = json.loads((damaged / "run.json").read_text(encoding="utf-8"))
    manifest = {**run["manifest"], "benchmark": {"loader": loader}}
    digest = sha256_bytes(canonical_json(manifest))
    edit_json(damaged / "run.json", manifest=manifest, manifest_digest=digest)
    sign(damaged, key=KEY)
    rejects(damaged, VerificationError, "no benchmark")
