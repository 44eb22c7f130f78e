"""What `verify` says comes from one list of checks: the lines, the JSON, the policy, the table."""

import json

import pytest

from kit.cli.entry import main
from kit.signing.keys import public_line
from kit.verification import verify as checks
from kit.verification.case import NOT_CHECKED, OK, Finding
from kit.verification.findings import FUNCTIONS
from kit.verification.text import accepted_json, describe
from kit.verification.verify import CHECKS, table, verify
from tests.compat import FOLDER, PUBLIC, RESULT
from tests.toys.signed_result import KEY, TRUSTED, edit_table, forge

NAMES = [check.name for check in CHECKS]
INTEGRITY = 3  # the policy's first checks


def test_each_check_has_a_name_and_says_what_it_proves_and_what_not():
    assert len(set(NAMES)) == len(NAMES) >= 8
    assert [*FUNCTIONS] == NAMES, "each has its function"
    for check in CHECKS:
        assert check.proves.endswith(".")
        assert check.does_not_prove.endswith(".")
    assert table() == [(c.name, c.proves, c.does_not_prove) for c in CHECKS]


def test_every_check_finds_something_in_their_order(signed):
    found = verify(signed, trusted=TRUSTED)
    assert [finding.check for finding in found.findings] == NAMES
    assert {finding.outcome for finding in found.findings} == {OK}
    lines = describe(found).splitlines()
    assert [line[4:] for line in lines if line.startswith("ok  ")] == list(found.messages)


def test_the_policy_integrity_runs_the_first_checks_and_no_others(signed, monkeypatch):
    done = []

    def noted(name, function):
        def run(case):
            done.append(name)
            return function(case)

        return run

    listed = {name: noted(name, function) for name, function in checks.INTEGRITY.items()}
    monkeypatch.setattr(checks, "INTEGRITY", listed)
    monkeypatch.setattr(checks, "_all_checks", pytest.fail)
    found = verify(signed, trusted=TRUSTED, policy="integrity")
    assert done == NAMES[:INTEGRITY] == ["signature", "files", "statements"]
    assert found.findings[-1] == Finding("rows", checks.NOT_RECOMPUTED, NOT_CHECKED)
    said = {each["name"]: each["outcome"] for each in json.loads(accepted_json(found))["checks"]}
    assert [said[name] for name in NAMES[:INTEGRITY]] == [OK] * INTEGRITY
    assert said["rows"] == NOT_CHECKED
    assert {said[name] for name in NAMES[INTEGRITY:] if name != "rows"} == {"not run"}


def test_the_json_lists_each_check_with_its_outcome(signed):
    said = json.loads(accepted_json(verify(signed, trusted=TRUSTED)))
    assert [each["name"] for each in said["checks"]] == NAMES
    assert {each["outcome"] for each in said["checks"]} == {OK}
    assert said["checks"][0]["proves"] == CHECKS[0].proves


def call(capsys, *words):
    with pytest.raises(SystemExit) as stopped:
        main(["verify", *map(str, words), "--json"])
    return stopped.value.code, json.loads(capsys.readouterr().out)


def test_a_refusal_says_in_json_which_check_refused_and_which_were_not_run(
    damaged, tmp_path, capsys
):
    edit_table(damaged / "rows.parquet", 0, "n", 400)
    forge(damaged)
    (tmp_path / "key.pub").write_text(public_line(KEY.public_key()))
    code, said = call(capsys, damaged, "--trust", tmp_path / "key.pub")
    assert (code, said["verified"], said["code"]) == (1, False, 1)
    outcomes = [each["outcome"] for each in said["checks"]]
    before = NAMES.index("rows")
    assert outcomes == [OK] * before + ["refused"] + ["not run"] * (len(NAMES) - before - 1)
    code, said = call(capsys, damaged, "--trust", FOLDER / "nowhere.pub")
    assert {each["outcome"] for each in said["checks"]} <= {"refused", "not run"}


def test_what_was_not_compared_is_marked_in_the_text(capsys):
    main(["verify", str(FOLDER / "0.1.0" / RESULT), "--trust", str(FOLDER / "0.1.0" / PUBLIC)])
    lines = capsys.readouterr().out.splitlines()
    marked = [line for line in lines if line.startswith("--  ")]
    (foreign,) = [line for line in marked if "rendered them, and this is kit" in line]
    assert "pages and the sentences in report.json are NOT VERIFIED and may say anything" in foreign
    assert foreign.endswith("./run.sh report RESULT --to FOLDER"), "pages that can be relied on"
    assert [line for line in marked if "placeholder without weights" in line]
