"""How many answers two systems word differently: counted by hand, and about these answers alone."""

import pytest

from kit.errors import VerificationError
from kit.experiment.claims import ClaimSection
from kit.metrics.rows import measure
from kit.report.claims import printed
from kit.verdicts.claims_file import entry
from kit.verdicts.evidence import gather
from kit.verdicts.judging import judge, judge_claims
from kit.verdicts.outcome import Outcome
from tests.toys.mutants import mutate
from tests.toys.results import PROTOCOL, toy_inputs

# About people the toy asks 32 questions of the forget set, 40 to be kept, 48 about real people, 16
# about the scenes of the forgotten people and 24 about presence.
ASKED = 32 + 40 + 48 + 16 + 24


def claim(**changes):
    whole = {
        "id": "C1", "text": "t", "kind": "changed", "target": "person", "part": "person",
        "column": "all", "metric": "answers_changed/1", "system": "npo", "other": "vanilla",
        "at_most": 0.1, "unit": "record", **changes,
    }  # fmt: skip
    return ClaimSection.model_validate(whole)


def at_least(value):
    return claim(at_least=value, at_most=None)


def measured(seeds=(1,), **changed):
    """Return the toy result in which a system answers as Vanilla does, but for n questions.

    Args:
        changed: n by the system's name, `npo_s1` for example.
    """
    inputs = toy_inputs(seeds=seeds)
    answers = inputs["answers"]
    texts = answers[answers["system"] == "vanilla"].set_index("record_id")["text"]
    asked = sorted(set(inputs["sets"].query("target == 'person'")["record_id"]))
    for name, number in changed.items():
        mine = answers["system"] == f"person-{name.replace('_', '-')}"
        answers.loc[mine, "text"] = answers.loc[mine, "record_id"].map(texts)
        other = mine & answers["record_id"].isin(asked[:number])
        answers.loc[other, "text"] = f"Another answer of {name}."
    return measure(**inputs, protocol=PROTOCOL)


@pytest.mark.parametrize(
    ("asked", "outcome"),
    [
        (claim(at_most=0.05), "REPRODUCED"), (claim(at_most=0.04), "NOT_REPRODUCED"),
        (claim(at_most=0.04, margin=0.01), "REPRODUCED"),
        (at_least(0.05), "REPRODUCED"), (at_least(0.06), "NOT_REPRODUCED"),
    ],
)  # fmt: skip
def test_the_share_is_counted_over_all_questions_of_the_target_and_has_no_interval(asked, outcome):
    verdict = judge(asked, measured(npo_s1=8), seed=0)
    found = verdict.estimate
    assert (found.value, found.low, found.high) == (8 / ASKED, 8 / ASKED, 8 / ASKED) == (0.05,) * 3
    assert (found.n, verdict.outcome) == (ASKED, outcome)


def test_equal_systems_change_nothing_and_a_system_that_changes_all_changes_all():
    assert judge(at_least(0.002), measured(npo_s1=0), 0).outcome is Outcome.NOT_REPRODUCED
    assert judge(at_least(0.002), measured(npo_s1=1), 0).outcome is Outcome.REPRODUCED
    assert judge(claim(), measured(npo_s1=ASKED), 0).estimate.value == 1.0


def test_what_is_worded_differently_counts_even_where_no_metric_sees_it():
    """A full stop changes no metric, and the claim is about words."""
    inputs = toy_inputs()
    answers = inputs["answers"]
    first = measured(npo_s1=0).answers
    where = (first["system"] == "person-npo-s1") & (first["record_id"] == "p00-market-a-who")
    inputs["answers"] = answers.assign(text=first["text"].where(~where, first["text"] + "."))
    found = gather(claim(), measure(**inputs, protocol=PROTOCOL))
    assert dict(zip(found.ids, found.values.tolist(), strict=True))["p00-market-a-who"] == 1.0
    assert found.values.sum() == 1


def test_several_seeds_count_as_their_mean_and_each_is_found_alone():
    both = measured(seeds=(1, 2), npo_s1=8, npo_s2=24)
    assert judge(claim(), both, 0).estimate.value == pytest.approx(16 / ASKED)
    for seed, number in ((1, 8), (2, 24)):
        found = gather(claim(), both, only_seed=seed)
        assert float(found.values.mean()) == number / ASKED
        assert set(found.systems) == {"vanilla", f"person-npo-s{seed}"}


def test_two_systems_with_seeds_are_compared_pair_by_pair():
    """Of the four pairs, the first 8 questions differ in all; the next 16 where s2 is one."""
    both = measured(seeds=(1, 2), npo_s1=8, npo_s2=24, prompt_s1=8, prompt_s2=8)
    found = gather(claim(other="prompt"), both)
    assert float(found.values.mean()) == pytest.approx((8 * 4 + 16 * 2) / 4 / ASKED)


def test_the_claim_that_a_method_is_not_vanilla_is_lost_if_it_answers_as_vanilla_does():
    real = measured(npo_s1=8)
    assert judge(at_least(0.002), real, 0).outcome is Outcome.REPRODUCED
    mutant = mutate(real, "person-npo-s1", "vanilla")
    assert judge(at_least(0.002), mutant, 0).outcome is Outcome.NOT_REPRODUCED


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"system": "siu"}, "siu was not run for target person"),
        ({"other": "siu"}, "siu was not run for target person"),
        ({"target": "nobody"}, "there are no records about nobody"),
    ],
)
def test_what_was_not_asked_is_skipped_with_the_reason(changes, reason):
    verdict = judge(claim(**changes), measured(), 0)
    assert (verdict.outcome, verdict.reason) == (Outcome.SKIPPED, reason)
    assert verdict.estimate is None


def test_a_system_of_another_target_that_was_not_asked_all_of_it_is_skipped():
    inputs = toy_inputs()
    answers = inputs["answers"]
    strange = answers["record_id"].str.endswith("-who") & (answers["system"] == "event-npo-s1")
    fewer = measure(**{**inputs, "answers": answers[~strange]}, protocol=PROTOCOL)
    verdict = judge(claim(other="npo", other_target="event"), fewer, 0)
    assert verdict.outcome is Outcome.SKIPPED
    assert verdict.reason == "npo for target event was not asked the records of person"


def test_it_is_not_judged_by_rule_1():
    with pytest.raises(VerificationError, match="C1 cannot be judged by version 1"):
        judge_claims([claim()], measured(), seed=0, rule=1)


def test_a_report_prints_a_share_and_no_difference():
    line = printed(entry(judge(claim(), measured(npo_s1=8), 0)))
    assert (line["value"], line["interval"]) == ("5.0", "[5.0, 5.0]")
    assert line["threshold"] == "at most 10.0 % (margin 0.0)"
    assert line["of"] == (
        "answers of npo that vanilla words differently: all about person, answers_changed/1"
    )
