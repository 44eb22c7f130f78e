"""claims.json follows from the manifest and the answers, or verification names the claim."""

import csv
import json
from dataclasses import replace

import pandas as pd
import pytest

from kit.artifacts import PROJECT
from kit.cli.entry import main
from kit.comparison.differences import require_same_claims
from kit.digests import canonical_json, sha256_value
from kit.errors import VerificationError
from kit.experiment.claims import ClaimSection
from kit.report import write_report
from kit.report.metadata import write_metadata
from kit.result.stored import read_result
from kit.signing.sign import sign
from kit.verdicts.judging import RULE, Outcome, judge
from kit.verification.recompute import rescore
from kit.verification.text import describe
from kit.verification.verify import verify
from tests.compat import FOLDER, RESULT
from tests.toys.signed_result import ANSWERS, CLAIMS, KEY, TRUSTED, edit_table, forge, rejects


def read(result):
    return json.loads((result / "claims.json").read_text(encoding="utf-8"))


def write(result, value):
    (result / "claims.json").write_bytes(canonical_json(value) + b"\n")


def edited(key, value, place=0):
    def tamper(result):
        stored = read(result)
        stored["claims"][place][key] = value
        write(result, stored)

    return tamper


def dropped(result):
    stored = read(result)
    del stored["claims"][1]
    write(result, stored)


def added(result):
    stored = read(result)
    stored["claims"].append({**stored["claims"][0], "id": "C9"})
    write(result, stored)


def missing(result):
    (result / "claims.json").unlink()


def turned(result):
    stored = read(result)
    write(result, {**stored, "claims": stored["claims"][::-1]})


def not_json(result):
    (result / "claims.json").write_text("{", encoding="utf-8")


def no_list(result):
    write(result, {"claims": 7})


def not_a_number(result):
    text = (result / "claims.json").read_text(encoding="utf-8")
    (result / "claims.json").write_text(text.replace("null", "NaN", 1), encoding="utf-8")


def in_the_manifest(change):
    """Change the claims of run.json, with a digest that fits, and leave claims.json as it is."""

    def tamper(result):
        run = json.loads((result / "run.json").read_text(encoding="utf-8"))
        change(run["manifest"]["claims"])
        run["manifest_digest"] = sha256_value(run["manifest"])
        (result / "run.json").write_text(json.dumps(run), encoding="utf-8")

    return tamper


def other_margin_alone(result):
    run = json.loads((result / "run.json").read_text(encoding="utf-8"))
    run["manifest"]["claims"][1]["margin"] = 0.0
    (result / "run.json").write_text(json.dumps(run), encoding="utf-8")


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (edited("verdict", "REPRODUCED"), "claim C1: verdict is 'REPRODUCED', recomputed 'INC"),
        (edited("verdict", "REPRODUCED", 3), "claim C4: verdict is 'REPRODUCED', recomputed 'SKI"),
        (edited("value", 0.01), "claim C1: value is 0.01, recomputed 0.5"),
        (edited("low", 0.2), "claim C1: low is 0.2, recomputed"),
        (edited("threshold", 0.99), "claim C1: threshold is 0.99, recomputed 0.9"),
        (edited("margin", 0.0, 1), "claim C2: margin is 0.0, recomputed 0.1"),
        (edited("n", 400), "claim C1: n is 400, recomputed 2"),
        (edited("text", "Ours is best."), "claim C1: text is 'Ours is best.', recomputed"),
        (edited("note", "ok"), "claim C1: note is 'ok', recomputed nothing"),
        (dropped, "claim C2 is missing"),
        (added, "claim C9 is not in the manifest"),
        (missing, "the file is missing; the manifest claims C1, C2, C3, C4"),
        (turned, "another order"),
        (not_json, "does not state what was run(.|\n)*claims.json: "),
        (no_list, "does not state what was run(.|\n)*claims.json: claims: "),
        (not_a_number, "claims.json: (.|\n)*not a finite number"),
        (other_margin_alone, "manifest_digest is not the digest of its manifest"),
        (in_the_manifest(lambda claims: claims.pop()), "claim C4 is not in the manifest"),
        (in_the_manifest(lambda claims: claims[1].update(margin=0.0)), "claim C2: margin is 0.1"),
        (in_the_manifest(lambda claims: claims[0].update(at_most=1.0)), "manifest.claims: C1"),
        (in_the_manifest(lambda claims: claims[0].update(at_most="x")), "manifest.claims.0.at_mo"),
        (in_the_manifest(lambda claims: claims[1].update(id="C1")), "manifest.claims: C1 occurs"),
        (in_the_manifest(lambda claims: claims[0].update(judge=1)), "manifest.claims.0.judge"),
        (in_the_manifest(lambda claims: claims.extend(claims * 60)), "manifest.claims: "),
    ],
)
def test_claims_that_do_not_follow_fail_although_signed(damaged, tamper, reason):
    tamper(damaged)
    forge(damaged)
    rejects(damaged, VerificationError, reason)


def test_an_edited_answer_changes_the_verdict_that_follows(damaged):
    before = rescore(read_result(damaged)).verdicts[2]
    answers = pd.read_parquet(damaged / ANSWERS)
    row = answers.query("system == 'person-npo-s1' and record_id == 'p2'").index[0]
    edit_table(damaged / ANSWERS, row, "text", "Ann2 Lee")
    after = rescore(read_result(damaged)).verdicts[2]
    assert (before.outcome, after.outcome) == ("NOT_REPRODUCED", "INCONCLUSIVE")
    assert (before.estimate.value, after.estimate.value) == (0.0, 1.0)


def test_how_claims_json_is_spelt_decides_nothing(damaged):
    value = read(damaged)
    (damaged / "claims.json").write_text(json.dumps(value, indent=1), encoding="utf-8")
    write_metadata(damaged)
    sign(damaged, key=KEY)
    assert len(verify(damaged, trusted=TRUSTED).claims) == 4


def test_claims_in_another_order_do_not_follow(damaged):
    value = read(damaged)
    value["claims"].reverse()
    (damaged / "claims.json").write_text(json.dumps(value), encoding="utf-8")
    sign(damaged, key=KEY)
    rejects(damaged, VerificationError, "another order")


def test_a_result_names_the_rule_of_its_verdicts_and_an_old_one_has_the_first(damaged):
    assert read(damaged)["rule"] == RULE == 3
    assert "rule" not in read(FOLDER / "0.1.0" / RESULT), "claims.json of 0.1.0 names none"
    assert read_result(FOLDER / "0.1.0" / RESULT).verdicts.rule == 1


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ({"rule": 4}, r"judge claims by version 4 of the rule\n.*version 1 or 2 or 3, which kit"),
        ({"rule": "1"}, "its rule is not the number of a version"),
        ({"rule": True}, "its rule is not the number of a version"),
        ({"schema": "pebench-kit/claims/2"}, "claims.json is of a later version of the kit"),
        ({"schema": 1}, "its schema is 1, none of"),
        ({"note": "fine"}, "it has other parts: note"),
    ],
)
def test_a_rule_or_a_schema_that_this_kit_does_not_know_is_named(damaged, part, reason):
    (damaged / "claims.json").write_text(json.dumps(read(damaged) | part), encoding="utf-8")
    sign(damaged, key=KEY)
    said = rejects(damaged, VerificationError, reason)
    assert "remedy" in said


def test_a_verdict_is_judged_by_the_version_of_the_rule_that_it_names(damaged, monkeypatch):
    """A kit with a fourth rule, by which nothing is reproduced, still verifies by the third."""

    def severe(claim, measured, seed):
        return replace(judge(claim, measured, seed), rule=3, outcome=Outcome.NOT_REPRODUCED)

    monkeypatch.setattr("kit.verdicts.judging.RULES", {3: judge, 4: severe})
    verify(damaged, trusted=TRUSTED)
    (damaged / "claims.json").write_text(json.dumps(read(damaged) | {"rule": 4}), encoding="utf-8")
    sign(damaged, key=KEY)
    rejects(damaged, VerificationError, "claim C2: verdict is")


def test_verification_says_how_many_claims_there_are_of_each_verdict(signed):
    said = describe(verify(signed, trusted=TRUSTED))
    assert "4 claims follow from them: 1 NOT_REPRODUCED, 2 INCONCLUSIVE, 1 SKIPPED" in said


def test_a_result_from_before_claims_verifies_and_says_so(damaged):
    in_the_manifest(lambda claims: claims.clear())(damaged)
    missing(damaged)
    (damaged / "report" / "claims.csv").unlink()
    write_report(damaged)
    write_metadata(damaged)
    sign(damaged, key=KEY)
    assert "the manifest claims nothing" in describe(verify(damaged, trusted=TRUSTED))


def test_the_report_shows_the_claims_after_the_tables_in_every_format(signed):
    report = signed / "report"
    html = (report / "report.html").read_text(encoding="utf-8")
    markdown = (report / "report.md").read_text(encoding="utf-8")
    assert html.index('id="tables"') < html.index('id="claims"')
    assert markdown.index("## Table 1") < markdown.index("## Claims")
    stored = read(signed)["claims"]
    assert json.loads((report / "report.json").read_text(encoding="utf-8"))["claims"] == stored
    with (report / "claims.csv").open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [(line["id"], line["verdict"]) for line in lines] == [
        (claim["id"], claim["verdict"]) for claim in stored
    ]
    for claim in stored:
        assert claim["text"] in html
        assert claim["verdict"] in html


def test_the_text_of_a_claim_cannot_bring_markup_into_a_page(damaged):
    in_the_manifest(lambda claims: claims[0].update(text="<b>|x|</b>"))(damaged)
    edited("text", "<b>|x|</b>")(damaged)
    write_report(damaged)
    page = (damaged / "report" / "report.html").read_text(encoding="utf-8")
    assert "<b>|x|</b>" not in page
    assert "&lt;b&gt;" in page
    assert "| <b>" not in (damaged / "report" / "report.md").read_text(encoding="utf-8")


def sections(*changes):
    claims = [ClaimSection.model_validate(claim) for claim in CLAIMS]
    return [*claims, *(ClaimSection.model_validate(claim) for claim in changes)]


def test_a_result_that_makes_other_claims_than_the_manifest_is_refused():
    same = sections()
    require_same_claims(same, sections(), "m.toml")
    with pytest.raises(VerificationError, match="C4 is dropped, not claimed"):
        require_same_claims(same[:-1], sections(), "m.toml")
    loose = [*same[:1], same[1].model_copy(update={"margin": 0.05}), *same[2:]]
    with pytest.raises(VerificationError, match=r"C2\.margin is 0\.05, not 0\.1"):
        require_same_claims(loose, sections(), "m.toml")


@pytest.fixture
def call(capsys):
    def run(*arguments):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as ended:
            return int(ended.code or 0), "".join(capsys.readouterr())
        return 0, "".join(capsys.readouterr())

    return run


def test_verify_holds_the_claims_against_a_manifest_when_asked(call, damaged, monkeypatch):
    monkeypatch.setattr("kit.signing.trust.trusted_keys", lambda trust: TRUSTED)
    assert call("verify", damaged)[0] == 0
    code, said = call("verify", damaged, "--claims", PROJECT / "manifests" / "smoke.toml")
    assert (code, "the claims of the result differ from those of" in said) == (1, True), said


def test_rescore_prints_the_claims_and_whether_what_is_stored_follows(call, damaged):
    code, said = call("rescore", damaged)
    assert code == 0, said
    assert "C3   NOT_REPRODUCED  NPO keeps names." in said
    assert "rows, claims and report equal the stored ones" in said
    found = json.loads(call("rescore", damaged, "--json")[1])
    assert (found["follows"], found["claims"]) == (True, read(damaged)["claims"])


def test_rescore_prints_what_follows_and_fails_where_something_else_is_stored(call, damaged):
    edited("verdict", "REPRODUCED")(damaged)
    code, said = call("rescore", damaged)
    assert code == 1
    assert "C1   INCONCLUSIVE" in said
    assert "claim C1: verdict is 'REPRODUCED', recomputed 'INCONCLUSIVE'" in said
    code, said = call("rescore", damaged, "--json")
    assert code == 1
    assert '"follows": false' in said


def test_rescore_of_half_a_result_names_what_is_missing(call, damaged):
    (damaged / "rows.parquet").unlink()
    code, said = call("rescore", damaged)
    assert (code, "rows.parquet does not exist" in said) == (12, True)
