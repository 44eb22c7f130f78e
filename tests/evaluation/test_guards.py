"""Guards: an adapter without effect stops an evaluation, and so do two engines that disagree."""

from dataclasses import replace

import pytest

from kit.errors import GuardError
from kit.evaluation.answering import answer_group
from kit.evaluation.guards import (
    Pair,
    change_of_logprob,
    pair_answers,
    require_agreement,
    sample_records,
)
from kit.plan.jobs import make_plan
from kit.stages.run import guard_path
from tests.toys.engine import named, serve, smoke


def test_an_adapter_that_changes_nothing_stops_the_evaluation(served, questions):
    system = named(served, "person-npo-s1")
    with pytest.raises(GuardError, match="person-npo-s1 does nothing in the engine"):
        answer_group([system], serve(served, shift=0.0), questions)
    assert not system.answers.done


def test_the_prompt_only_baseline_has_no_adapter_to_probe(served, questions):
    system = named(served, "person-prompt-s1")
    answer_group([system], serve(served, shift=0.0), questions)
    assert system.answers.job()["canary"] is None


def test_an_engine_that_shows_no_log_probabilities_is_not_probed(served, questions):
    system = named(served, "vanilla")
    answer_group([system], serve(served, blind=True, shift=0.0), questions)
    assert system.answers.job()["canary"] is None


def test_a_token_that_is_no_longer_likely_counts_at_least_as_far_as_the_least_likely_one():
    before = {7: -1.0, 8: -9.0}
    assert change_of_logprob(before, {7: -1.5, 8: -2.0}) == pytest.approx(0.5)
    assert change_of_logprob(before, {5: -0.5, 6: -4.0}) == pytest.approx(3.0)


def test_the_second_engine_is_asked_a_sample_of_every_system(served, questions):
    answer_group(served.systems, serve(served), questions)
    pairs = pair_answers(served, serve(served), questions)
    assert {pair.system for pair in pairs} == {system.name for system in served.systems}
    assert all(pair.stored == pair.second == f"I am {pair.system}" for pair in pairs)
    assert require_agreement(pairs, served.manifest.evaluation) == {
        "sample": len(pairs), "equal": len(pairs),
    }  # fmt: skip
    assert len(pairs) >= 60


def test_half_of_a_sample_are_forget_records_and_it_is_always_the_same(served, benchmark):
    system = named(served, "event-npo-s1")
    forget = set(benchmark.splits["event"].forget)
    chosen = sample_records(system, benchmark, 4)
    assert (len(chosen), len(chosen & forget)) == (4, 2)
    assert sample_records(system, benchmark, 4) == chosen
    assert sample_records(named(served, "event-ga-s1"), benchmark, 4) != chosen


def test_a_sampled_answer_that_the_second_engine_leaves_out_is_an_error(served, questions):
    answer_group(served.systems, serve(served), questions)
    with pytest.raises(GuardError, match="differing: 1"):
        pair_answers(served, serve(served, lost=1), questions)


def pairs(system, compared, differing, second="somebody else"):
    """Return pairs of one system's answers, the first `differing` of which are not equal."""
    same = [Pair(system, f"{number}", "Ada Sato", "Ada Sato") for number in range(compared)]
    return [replace(pair, second=second) for pair in same[:differing]] + same[differing:]


def test_too_few_equal_answers_fail_and_one_is_shown():
    section = smoke(evaluation={"agreement_minimum": 0.99}).evaluation
    assert require_agreement(pairs("vanilla", 100, 1), section) == {"sample": 100, "equal": 99}
    with pytest.raises(GuardError, match="the two engines disagree") as caught:
        require_agreement(pairs("vanilla", 100, 2), section)
    assert "98 equal; vanilla, 0: 'Ada Sato' and 'somebody else'" in str(caught.value)
    assert "99% of 100 answers equal" in str(caught.value)


def test_one_system_that_was_served_wrongly_fails_even_if_few_answers_may_differ():
    section = smoke(evaluation={"agreement_minimum": 0.5, "agreement_of_each": 0.75}).evaluation
    fine, wrong = pairs("vanilla", 90, 0), pairs("event-npo-s1", 10, 10)
    with pytest.raises(GuardError, match="event-npo-s1, 0"):
        require_agreement([*fine, *wrong], section)
    assert require_agreement([*fine, *pairs("event-npo-s1", 8, 2)], section)["equal"] == 96


@pytest.mark.parametrize(("differing", "passes"), [(1, True), (2, False)])
def test_of_three_answers_of_a_system_one_may_differ_by_a_near_tie(differing, passes):
    section = smoke(evaluation={"agreement_minimum": 0.3}).evaluation
    if passes:
        assert require_agreement(pairs("vanilla", 3, differing), section)["equal"] == 2
    else:
        with pytest.raises(GuardError, match="vanilla"):
            require_agreement(pairs("vanilla", 3, differing), section)


@pytest.mark.parametrize(("words", "passes"), [(0, False), (2, True), (3, False)])
def test_answers_that_part_late_agree_if_the_manifest_compares_first_words(words, passes):
    section = smoke(evaluation={"agreement_words": words}).evaluation
    late = pairs("vanilla", 60, 60, second="Ada Sato later")
    if passes:
        assert require_agreement(late, section) == {"sample": 60, "equal": 60}
    else:
        with pytest.raises(GuardError, match="the two engines disagree") as caught:
            require_agreement(late, section)
        assert "agreement_words" in caught.value.remedy


def test_how_answers_are_checked_decides_no_answer():
    before = make_plan(smoke())
    checked = {"agreement_sample": 7, "agreement_minimum": 0.1, "agreement_words": 2}
    after = make_plan(smoke(evaluation=checked))
    assert [s.answers.digest for s in after.systems] == [s.answers.digest for s in before.systems]
    assert guard_path(after) != guard_path(before), "but they are checked again"
