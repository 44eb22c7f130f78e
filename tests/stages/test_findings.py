"""The sentences at the end of a run say what the numbers of the report say, and no more."""

import json

import pytest

from kit.artifacts import PROJECT
from kit.errors import StorageError
from kit.stages.findings import findings


def line(entry, label, gap, target="person"):
    return {"entry": entry, "label": label, "target": target, "gap": {"value": gap}}


def row(entry, label, *marks):
    return {"entry": entry, "label": label, "marks": {mark: ["person"] for mark in marks}}


REPORT = {
    "eligibility": [
        {"target": "person", "part": "person", "reason": ""},
        {"target": "both", "part": "event", "reason": "Vanilla does not know them"},
    ],
    "whole": {
        "lines": [
            line("vanilla", "Vanilla", 0.5), line("retain_only", "Retain-only", 0.0),
            line("ga", "GA, no stop", 0.3), line("npo", "NPO", 0.0214), line("po", "PO", 0.0214),
            line("siu", "SIU", None),
        ]
    },
    "tables": {
        "table1": [row("vanilla", "Vanilla", "collapsed"), row("ga", "GA, no stop", "collapsed")],
        "table1_distance": [row("npo", "NPO", "collapsed")],
    },
    "claims": [{"verdict": "REPRODUCED"}, {"verdict": "NOT REPRODUCED"}, {"verdict": "REPRODUCED"}],
}  # fmt: skip


@pytest.fixture
def said(tmp_path):
    def run(**changes):
        (tmp_path / "report").mkdir(exist_ok=True)
        (tmp_path / "report" / "report.json").write_text(json.dumps({**REPORT, **changes}))
        return findings(tmp_path)

    return run


def test_the_sentences_follow_from_the_numbers(said):
    eligible, methods, claims = said()
    assert eligible.startswith("Forgetting can be measured (person): Vanilla knows")
    assert eligible.endswith("but not: both: event (Vanilla does not know them).")
    # Bounds are no methods; equal distances are named together; a distance table marks nothing.
    assert methods == (
        "Closest to Retain-only: NPO and PO (person, mean distance 0.021). "
        "Of 4 methods: 1 collapsed (GA, no stop)."
    )
    assert claims == "Of 3 claims: 2 REPRODUCED, 1 NOT REPRODUCED."


@pytest.mark.parametrize(
    "changes", [{"whole": 3}, {"whole": {"lines": [3]}}, {"eligibility": 5}, {"claims": {"a": 1}}]
)
def test_a_report_that_was_damaged_since_is_named_with_its_result(said, tmp_path, changes):
    with pytest.raises(StorageError, match=r"report\.json is damaged") as caught:
        said(**changes)
    assert caught.value.remedy == f"remove {tmp_path}, and run the same command again"


def test_many_methods_at_one_distance_are_counted(said):
    lines = [line(f"m{number}", f"M{number}", 0.0) for number in range(20)]
    methods = said(whole={"lines": lines}, tables={})[1]
    assert methods.startswith("Closest to Retain-only: M0 and 19 others (person, mean distance 0.0")


def test_what_comes_back_is_told_for_each_part(said):
    def headline(label, outcome, target="person", part="person"):
        return {"label": label, "outcome": outcome, "target": target, "part": part}

    heads = [
        headline("PO", "behavioural"), headline("NPO", "durable"), headline("GA", "undecided"),
        headline("PO", "broken", target="both", part="event"),
    ]  # fmt: skip
    _, _, person, both, _ = said(attacks={"cells": [], "headlines": heads})
    assert person == (
        "Under attack (person), what was forgotten comes back for 1 of 3 (PO), and stays away for "
        "1 of 3 (NPO)."
    )
    assert both == (
        "Under attack (both: event), what was forgotten comes back for none of 1, and stays away "
        "for none of 1."
    )


def test_nothing_is_claimed_where_there_was_nothing_to_forget(said):
    bad = [{"target": "person", "part": "person", "reason": "Vanilla knows 0 %"}]
    assert said(eligibility=bad)[0] == "No forgetting can be claimed: person (Vanilla knows 0 %)."
    assert "not measured" in said(eligibility=[])[0]


def test_a_result_without_methods_claims_or_distances(said):
    bounds = REPORT["whole"]["lines"][:2]
    assert said(whole={"lines": bounds})[1] == "The manifest has no method."
    lone = said(whole={"lines": [line("ga", "GA", None)]}, tables={})[1]
    assert lone == "No distance was measured. No method is marked as damaged."
    assert said(claims=[])[2] == "The manifest makes no claim."


def test_the_sentences_about_the_signed_reference_agree_with_its_report():
    result = PROJECT / "manifests" / "reference" / "smoke"
    eligible, methods, *_, claims = findings(result)
    report = json.loads((result / "report" / "report.json").read_text())
    reproduced = sum(each["verdict"] == "REPRODUCED" for each in report["claims"])
    assert f"Of {len(report['claims'])} claims: {reproduced} REPRODUCED" in claims
    assert "Closest to Retain-only" in methods
    assert "person" in eligible
