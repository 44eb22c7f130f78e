"""Numbers are recomputed by the version of the metric that they name, whatever came after it."""

from dataclasses import replace

import pandas as pd
import pytest

from kit import metrics
from kit.errors import VerificationError
from kit.metrics.definition import Definition
from kit.metrics.versions import stored_definitions
from kit.result.made_by import kit_of
from kit.signing.sign import sign
from kit.signing.trust import trusted_keys
from kit.verification.case import NOT_CHECKED
from kit.verification.verify import verify
from tests.compat import FOLDER, PUBLIC, RESULT
from tests.toys.signed_result import (
    KEY,
    KIT,
    TRUSTED,
    copy_of,
    edit_json,
    edit_table,
    forge,
    remake,
)
from tests.verification.test_lasting import refused, signed_again

OLD, OLD_KEY = FOLDER / "0.1.0" / RESULT, FOLDER / "0.1.0" / PUBLIC
FIRST = metrics.VERSIONS["forget_rate", 1]
SECOND = replace(FIRST, version=2, measure=lambda answer, record: 0.25)


@pytest.fixture
def second_version(monkeypatch):
    """A kit in which forget_rate has a second version, that gives every answer another value."""
    monkeypatch.setitem(metrics.DEFINITIONS, "forget_rate", SECOND)
    monkeypatch.setitem(metrics.VERSIONS, ("forget_rate", 2), SECOND)


@pytest.mark.usefixtures("second_version")
def test_a_result_of_version_one_verifies_in_a_kit_with_version_two(signed):
    verify(OLD, trusted=trusted_keys(OLD_KEY))
    verify(signed, trusted=TRUSTED)


@pytest.mark.usefixtures("second_version")
def test_a_new_result_has_version_two_and_is_recomputed_by_it(damaged):
    remake(damaged)
    rows = pd.read_parquet(damaged / "rows.parquet").query("metric == 'forget_rate'")
    assert set(rows["version"]) == {2}
    assert set(rows["value"].dropna()) == {0.25}
    # Its claims are about version 1, which it did not measure.
    sign(damaged, key=KEY)
    verify(damaged, trusted=TRUSTED)


def changed(result, metric, column, value):
    rows = pd.read_parquet(result / "rows.parquet")
    rows.loc[rows["metric"] == metric, column] = value
    rows.to_parquet(result / "rows.parquet", index=False)
    sign(result, key=KEY)
    return result


@pytest.mark.parametrize(
    ("metric", "known"),
    [("forget_rate", "expected: version 1 of it"), ("love", "it has none of this name")],
)
def test_a_version_that_this_kit_does_not_know_is_named_with_those_it_knows(damaged, metric, known):
    changed(damaged, "forget_rate", "version", 7)
    changed(damaged, "forget_rate", "metric", metric)
    refused(damaged, f"cannot compute version 7 of the metric {metric}\n.*{known}")


def test_one_metric_in_two_versions_is_refused(damaged, second_version):
    rows = pd.read_parquet(damaged / "rows.parquet")
    edit_table(damaged / "rows.parquet", rows.query("metric == 'forget_rate'").index[0],
               "version", 2)  # fmt: skip
    sign(damaged, key=KEY)
    refused(damaged, "forget_rate in two versions")


def test_a_row_of_the_wrong_version_is_recomputed_by_it_and_refused(damaged, second_version):
    changed(damaged, "forget_rate", "version", 2)
    refused(damaged, "value is .*, recomputed 0.25")


def never(answer, record):
    raise AssertionError("a version that was retired is not computed")


@pytest.fixture
def retired(monkeypatch):
    """A kit that no longer computes version 1 of forget_rate, the headline of a column."""
    gone = replace(FIRST, measure=never, retired="it counted blanks")
    monkeypatch.setitem(metrics.DEFINITIONS, "forget_rate", SECOND)
    monkeypatch.setitem(metrics.VERSIONS, ("forget_rate", 1), gone)
    monkeypatch.setitem(metrics.VERSIONS, ("forget_rate", 2), SECOND)


def test_a_version_that_was_retired_is_said_and_the_rest_is_checked(retired, tmp_path):
    found = verify(OLD, trusted=trusted_keys(OLD_KEY))
    lines = [
        each.message
        for each in found.findings
        if each.outcome == NOT_CHECKED and each.check in ("rows", "claims", "numbers", "pages")
    ]
    assert "version 1 of forget_rate is no longer computed (it counted blanks)" in lines[0]
    assert "its 9 rows were NOT checked; the claims C1, C2, C4 rest on it" in lines[0]
    assert any(said.startswith(f"{found.rows - 9} rows recomputed") for said in found.messages)
    assert "1 claims follow from them: 1 NOT_REPRODUCED" in found.messages
    other = copy_of(OLD, tmp_path)
    changed(other, "name_hit", "value", 0.123)
    refused(other, "name_hit.*: value is 0.123")


def test_what_is_stored_of_a_retired_version_still_agrees_with_the_report(retired, tmp_path):
    other = copy_of(OLD, tmp_path)
    changed(other, "forget_rate", "value", 0.123)
    refused(other, "report.json: .*value is")


def test_the_claims_of_a_retired_version_are_not_judged_but_are_the_manifests(retired, tmp_path):
    other = copy_of(OLD, tmp_path)
    text = (other / "claims.json").read_text()
    (other / "claims.json").write_text(text.replace('"margin":0.1', '"margin":0.2'))
    sign(other, key=KEY)
    refused(other, "claim C2: margin is 0.2")


@pytest.fixture
def new_metric(monkeypatch):
    """A kit 9.9.9 that measures one more metric of names."""
    more = Definition("length", 1, "Words.", lambda a, r: 1.0, FIRST.concepts, "", since="9.9.9")
    monkeypatch.setitem(metrics.DEFINITIONS, "length", more)
    monkeypatch.setitem(metrics.VERSIONS, ("length", 1), more)


def test_a_metric_that_is_younger_than_a_result_is_not_missed_in_it(new_metric, damaged):
    verify(OLD, trusted=trusted_keys(OLD_KEY))
    edit_json(damaged / "run.json", kit=KIT | {"version": "9.9.9"})
    signed_again(damaged)
    refused(damaged, "length.* is missing")


def test_a_metric_that_a_kit_measured_cannot_be_left_out_of_its_result(damaged):
    rows = pd.read_parquet(damaged / "rows.parquet")
    rows[rows["metric"] != "repetition"].to_parquet(damaged / "rows.parquet", index=False)
    sign(damaged, key=KEY)
    refused(damaged, "repetition.* is missing")


@pytest.mark.parametrize("version", ["0.0.9", "0", "0.0"])
def test_no_result_is_older_than_the_first_metric(damaged, version):
    """Such a version would excuse it from every metric that it leaves out."""
    kit = KIT | {"version": version, "renderer": "ab" * 32}
    edit_json(damaged / "run.json", kit=kit)
    forge(damaged)
    refused(damaged, "0.1.0 was the first version of the kit|does not state what was run")
    with pytest.raises(VerificationError, match=r"0\.1\.0 was the first version"):
        kit_of({"kit": kit})


@pytest.mark.parametrize("version", ["0.5.0", "10.0", "1", "x", "", "9999999999999"])
def test_a_version_of_the_kit_that_is_none_leaves_no_metric_out(version):
    assert list(stored_definitions([], version)) == list(metrics.DEFINITIONS)


def test_of_an_earlier_kit_only_the_metrics_that_it_had_are_missed():
    missed = stored_definitions([], "0.2.0")
    assert {"name_hit", "forget_rate", "keyword_recall"} <= set(missed)
    assert not {"name_hit_lenient", "forget_rate_part"} & set(missed)
    assert {"name_hit_lenient", "forget_rate_part"} <= set(metrics.DEFINITIONS)


def test_every_definition_is_known_by_its_version():
    for name, definition in metrics.DEFINITIONS.items():
        assert metrics.VERSIONS[name, definition.version] is definition
        assert not definition.retired
