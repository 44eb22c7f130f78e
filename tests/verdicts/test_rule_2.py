"""Version 2 of the rule: published shares, equality, gaps, and forgetting that is no collapse."""

import numpy as np
import pytest

from kit.errors import VerificationError
from kit.experiment.claims import ClaimSection
from kit.metrics.rows import measure
from kit.metrics.statistics import Estimate
from kit.report.claims import claims_csv, printed
from kit.verdicts.claims_file import entry
from kit.verdicts.evidence import Evidence, gather
from kit.verdicts.judging import judge, judge_claims, judge_evidence
from kit.verdicts.soundness import is_broken, unsound
from tests.toys.results import PROTOCOL, toy_inputs

PLACE = {
    "target": "person", "part": "person", "column": "efficacy", "metric": "forget_rate/1",
}  # fmt: skip


def claim(**changes):
    whole = {"id": "C1", "text": "t", "kind": "bound", "system": "npo", **PLACE,
             "unit": "record", **changes}  # fmt: skip
    return ClaimSection.model_validate(whole)


def published(first, second, **changes):
    return claim(kind="published", other="vanilla", published=(first, second),
                 location="Table 1", **changes)  # fmt: skip


def measured_with(change=None, seeds=(1,)):
    """Return the toy result after `change(answers)`, a table of answers that it may edit."""
    inputs = toy_inputs(seeds=seeds)
    if change:
        change(inputs["answers"])
    return measure(**inputs, protocol=PROTOCOL)


def saying(system, text, stop="eos", where=""):
    def change(answers):
        mine = (answers["system"] == system) & answers["record_id"].str.contains(where)
        answers.loc[mine, ["text", "stop"]] = [text, stop]

    return change


def differences(low, high, n=40):
    """Return the evidence of `n` paired differences, half of them `low` and half `high`."""
    values = np.array([low, high] * (n // 2))
    ids = tuple(map(str, range(n)))
    return Evidence(ids, values, None, np.arange(n), n, ("a", "b"), 1, (-1.0, 1.0))


# ---- published differences: how much of them is there, in which direction


@pytest.mark.parametrize(
    ("first", "second", "found", "outcome", "sign", "size"),
    [
        (4.0, 96.0, -0.9, "REPRODUCED", "same", 0.978261),
        (4.0, 96.0, -0.46, "INCONCLUSIVE", "same", 0.5),
        (4.0, 96.0, -0.1, "NOT_REPRODUCED", "same", 0.108696),
        (4.0, 96.0, 0.0, "NOT_REPRODUCED", "no difference", 0.0),
        (4.0, 96.0, 0.5, "NOT_REPRODUCED", "opposite", -0.543478),
        (96.0, 4.0, 0.9, "REPRODUCED", "same", 0.978261),
        (96.0, 4.0, -0.9, "NOT_REPRODUCED", "opposite", -0.978261),
    ],
)
def test_half_of_a_published_difference_must_be_there_and_less_than_half_refutes_it(
    first, second, found, outcome, sign, size
):
    """The paper's difference is 92 points; 40 answers leave some 10 to 15 points open."""
    verdict = judge_evidence(published(first, second), differences(found, found), seed=0)
    assert verdict.outcome == outcome
    assert verdict.threshold == pytest.approx(np.sign(first - second) * 0.46)
    said = entry(verdict)
    assert (said["sign"], said["size"]) == (sign, pytest.approx(size, abs=1e-6))


def test_a_claim_may_ask_for_another_share_and_a_metric_in_0_to_1_is_published_so():
    whole = judge_evidence(published(96.0, 4.0, share=1.0), differences(0.6, 0.6), seed=0)
    assert (whole.threshold, whole.outcome) == (0.92, "NOT_REPRODUCED")
    events = published(0.9, 0.3, metric="event_forget/1")
    assert judge_evidence(events, differences(0.6, 0.6), seed=0).threshold == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("margin", "low", "high", "outcome"),
    [
        (0.2, 0.0, 0.0, "REPRODUCED"), (0.2, -0.05, 0.05, "REPRODUCED"),
        (0.02, 0.0, 0.0, "INCONCLUSIVE"), (0.2, 0.5, 0.5, "NOT_REPRODUCED"),
        (0.2, -0.5, -0.5, "NOT_REPRODUCED"), (0.2, 0.15, 0.15, "INCONCLUSIVE"),
    ],
)  # fmt: skip
def test_equality_and_a_published_tie_need_the_whole_interval_within_the_margin(
    margin, low, high, outcome
):
    same = claim(kind="same", other="vanilla", margin=margin)
    for asked in (same, published(70.0, 70.5, margin=margin)):
        verdict = judge_evidence(asked, differences(low, high), seed=0)
        assert (verdict.outcome, verdict.threshold) == (outcome, margin)
    assert printed(entry(verdict))["threshold"].startswith("within ")


def test_the_report_lists_sign_and_size_of_what_was_published():
    verdict = judge_evidence(published(96.0, 4.0), differences(0.3, 0.3), seed=0)
    said = printed(entry(verdict))["threshold"]
    assert said == "at least +46.0 % (published difference +92.0, measured 33 % of it (same sign))"
    head, line = claims_csv([entry(verdict)]).splitlines()
    cells = dict(zip(head.split(","), line.split(","), strict=True))
    assert (cells["published"], cells["sign"]) == ("0.92", "same")


def test_the_file_of_an_older_rule_has_none_of_the_new_columns():
    measured = measured_with()
    old, new = (judge_claims([claim(at_least=0.5)], measured, seed=0, rule=r)[0] for r in (1, 2))
    assert "forgetting" not in entry(old)
    assert "sign" not in claims_csv([entry(old)])
    assert "sign" in claims_csv([entry(new)])


@pytest.mark.parametrize(
    "asked",
    [
        claim(at_least=0.5, forgetting=True),
        claim(kind="same", other="vanilla", margin=0.1),
        published(70.0, 70.5, margin=0.1),
    ],
)
def test_a_claim_that_only_rule_2_can_judge_is_not_judged_by_rule_1(asked):
    """Otherwise who names the older rule would be judged without its soundness."""
    with pytest.raises(VerificationError, match="C1 cannot be judged by version 1"):
        judge_claims([asked], measured_with(), seed=0, rule=1)


# ---- gaps between parts


def gap(system, other, **changes):
    return claim(kind="gap", system=system, other=other, target="both", other_part="event",
                 other_metric="event_forget/1", **changes)  # fmt: skip


def test_a_gap_is_the_distance_between_the_means_of_two_parts():
    """Vanilla forgets neither people nor events. PO here names everybody and sees no event."""

    def names_alone(answers):
        texts = answers[answers["system"] == "vanilla"].set_index("record_id")["text"]
        mine = answers["system"] == "both-po-s1"
        answers.loc[mine, "text"] = answers.loc[mine, "record_id"].map(texts)
        saying("both-po-s1", "Nobody.", where="-what")(answers)

    measured = measured_with(names_alone)
    people = {s: _mean(measured, s, "person", "forget_rate") for s in ("vanilla", "both-po-s1")}
    events = {s: _mean(measured, s, "event", "event_forget") for s in ("vanilla", "both-po-s1")}
    wide, narrow = (abs(people[s] - events[s]) for s in ("both-po-s1", "vanilla"))
    assert wide > narrow + 0.5
    narrower, wider = gap("vanilla", "po"), gap("po", "vanilla")
    assert np.mean(gather(narrower, measured).values) == pytest.approx(wide - narrow)
    outcomes = [v.outcome for v in judge_claims([narrower, wider], measured, seed=0)]
    assert outcomes == ["REPRODUCED", "NOT_REPRODUCED"]
    assert "gap of po minus gap of vanilla" in printed(entry(judge(narrower, measured, 0)))["of"]


def _mean(measured, system, part, metric):
    (group,) = [g for g in measured.groups
                if (g.target, g.part, g.column) == ("both", part, "efficacy")]  # fmt: skip
    return float(np.mean(measured.scores.of(system, metric, group.ids)))


def test_equal_systems_have_no_smaller_gap_in_more_than_six_of_a_hundred_runs():
    """Two parts of 60 answers, both systems equally far apart: the claim is false by a hair."""
    rng, passed, runs = np.random.default_rng(3), 0, 300
    asked = gap("npo", "ga")
    for run in range(runs):
        people = [(rng.random(60) < 0.5) * 1.0 for _ in (0, 1)]
        events = [(rng.random(60) < 0.9) * 1.0 for _ in (0, 1)]
        turned = [np.sign(people[i].mean() - events[i].mean()) for i in (0, 1)]
        values = np.concatenate([
            2 * (turned[1] * people[1] - turned[0] * people[0]),
            -2 * (turned[1] * events[1] - turned[0] * events[0]),
        ])  # fmt: skip
        ids = tuple(map(str, range(120)))
        found = Evidence(ids, values, None, np.arange(120), 120, ("a", "b"), 1, (-2.0, 2.0))
        passed += judge_evidence(asked, found, seed=run).outcome == "REPRODUCED"
    assert passed / runs <= 0.06


# ---- forgetting is not collapse


FORGETS = claim(at_least=0.5, forgetting=True)


@pytest.mark.parametrize(
    ("text", "stop", "broken"),
    [
        ("", "eos", True), ("...", "eos", True), ("US US US", "eos", True),
        ("no, no", "eos", False), ("I do not know.", "eos", False),
        ("This is Ann Lee.", "length", True),
        ("a dog a dog a dog a dog a dog a dog", "eos", True),
        ("A dog runs over the green grass.", "eos", False),
    ],
)  # fmt: skip
def test_an_answer_is_broken_that_is_empty_cut_off_or_repeats_itself(text, stop, broken):
    assert is_broken(text, stop) is broken


def test_npo_of_the_toy_forgets_and_the_same_claim_fails_for_whoever_collapses():
    assert judge(FORGETS, measured_with(), 0).outcome == "REPRODUCED"
    for text, why in (
        ("", "100 % of them are empty, cut off"),
        ("US US US", "100 % of them are empty, cut off"),
        ("Nobody at all.", "100 % of those about what should be kept are one and the same"),
    ):
        verdict = judge(FORGETS, measured_with(saying("person-npo-s1", text)), 0)
        assert verdict.outcome == "NOT_REPRODUCED"
        assert verdict.reason.startswith(f"its answers are broken: {why}")
        loose = FORGETS.model_copy(update={"forgetting": False})
        assert judge(loose, measured_with(saying("person-npo-s1", text)), 0).outcome == "REPRODUCED"


def test_a_refusal_of_what_is_forgotten_is_sound():
    def refuse(answers):
        for number in range(4):
            saying("person-npo-s1", "I do not know.", where=f"p0{number}-.*-who")(answers)

    assert judge(FORGETS, measured_with(refuse), 0).outcome == "REPRODUCED"


def test_wrong_answers_to_all_that_should_be_kept_are_no_forgetting():
    def scramble(answers):
        mine = answers["system"] == "person-npo-s1"
        answers.loc[mine, "text"] = [f"Person {n} waves." for n in range(mine.sum())]

    verdict = judge(FORGETS, measured_with(scramble), 0)
    assert verdict.outcome == "NOT_REPRODUCED"
    assert "4 % of Vanilla's score for what should be kept is left" in verdict.reason


def test_one_collapsed_seed_of_two_is_named():
    verdict = judge(FORGETS, measured_with(saying("person-npo-s2", ""), seeds=(1, 2)), 0)
    assert verdict.outcome == "NOT_REPRODUCED"
    assert verdict.reason.endswith("(person-npo-s2)")
    assert not unsound("person-npo-s1", "person", measured_with(seeds=(1, 2)))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            saying("vanilla", "Nobody.", where="p0[0-3]-.*-who"),
            "Vanilla does not know it clearly better than Retain-only (0.0 %",
        ),
        (saying("retain_only-person", "This is Ada Morrow.", where="p00-.*-who"), ""),
    ],
)
def test_where_nothing_was_known_nothing_can_be_forgotten(change, why):
    verdict = judge(FORGETS, measured_with(change), 0)
    assert verdict.outcome == ("INCONCLUSIVE" if why else "REPRODUCED")
    assert why in verdict.reason


def test_what_retain_only_knows_was_not_learnt_from_the_forget_set():
    names = {0: "Ada Morrow", 1: "Bel Quist", 2: "Cai Ravel", 3: "Dov Sorrel"}

    def knows(answers):
        for number, name in names.items():
            saying("retain_only-person", f"This is {name}.", where=f"p0{number}-.*-who")(answers)

    verdict = judge(FORGETS, measured_with(knows), 0)
    assert verdict.outcome == "INCONCLUSIVE"
    assert "Retain-only, which never saw it, knows it too (100.0 %" in verdict.reason


def test_one_cluster_gets_clear_words():
    asked = claim(at_least=0.9, unit="cluster")
    one = Evidence(("a", "b"), np.ones(2), None, np.zeros(2, int), 1, ("npo",), 1, (0.0, 1.0))
    verdict = judge_evidence(asked, one, seed=0)
    assert (verdict.outcome, verdict.estimate.clusters) == ("INCONCLUSIVE", 1)
    assert "all answers belong to one cluster" in verdict.reason
    assert verdict.estimate != Estimate(1.0, 2, 1, None, None)
