"""Metrics of likelihoods against values worked out by hand, and against a peer's mistake."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.benchmarks.records import Column, Concept, Record
from kit.metrics import DEFINITIONS, VERSIONS, StoredAnswer
from kit.metrics.definition import Likelihood
from kit.metrics.likelihoods import (
    answer_probability,
    answer_share,
    truth_ratio,
    truth_ratio_forget,
)

FACT = Record("r", Concept.FACT, "Where was she born?", "In Oslo")
MEASURES = (answer_probability, answer_share, truth_ratio, truth_ratio_forget)


def likely(**roles):
    """Return an answer whose texts have the given (probability a token, tokens), by role."""
    found = [
        Likelihood(role, f"{role} {place}", tokens * math.log(share), tokens)
        for role, listed in roles.items()
        for place, (share, tokens) in enumerate(listed)
    ]
    return StoredAnswer("", "eos", tuple(found))


def test_the_probability_of_an_answer_is_the_geometric_mean_over_its_tokens():
    assert answer_probability(likely(answer=[(0.5, 4)]), FACT) == pytest.approx(0.5)
    one = StoredAnswer("", "eos", (Likelihood("answer", "x", math.log(0.9 * 0.4), 2),))
    assert answer_probability(one, FACT) == pytest.approx(0.6)


def test_the_share_of_an_answer_is_among_it_and_all_wrong_ones_whatever_their_length():
    found = likely(answer=[(0.6, 3)], candidate=[(0.3, 9), (0.1, 1)])
    assert answer_share(found, FACT) == pytest.approx(0.6)
    alike = likely(answer=[(0.2, 3)], candidate=[(0.2, n) for n in (1, 5, 20)])
    assert answer_share(alike, FACT) == pytest.approx(0.25)


def test_a_share_of_answers_too_unlikely_for_a_float_is_still_a_share():
    found = StoredAnswer(
        "", "eos",
        (Likelihood("answer", "x", -2000.0, 1), Likelihood("candidate", "y", -4000.0, 2),
         Likelihood("candidate", "z", -9000.0, 1)),
    )  # fmt: skip
    assert answer_share(found, FACT) == pytest.approx(0.5)


def test_the_truth_ratio_takes_the_mean_of_losses_and_not_of_probabilities():
    # R = sqrt(0.1 * 0.4) / 0.5 = 0.4; with the arithmetic mean it would be 0.5.
    found = likely(paraphrase=[(0.5, 7)], candidate=[(0.1, 2), (0.4, 5)])
    assert truth_ratio(found, FACT) == pytest.approx(0.6)
    assert truth_ratio_forget(found, FACT) == pytest.approx(0.4)


def test_a_model_that_prefers_falsehoods_has_no_truth_and_has_not_merely_forgotten():
    found = likely(paraphrase=[(0.2, 3)], candidate=[(0.8, 3)])  # R = 4
    assert truth_ratio(found, FACT) == 0.0
    assert math.copysign(1, truth_ratio(found, FACT)) == 1.0, "printed without a sign"
    assert truth_ratio_forget(found, FACT) == pytest.approx(0.25)


def test_a_model_without_preference_has_forgotten():
    found = likely(paraphrase=[(0.3, 3)], candidate=[(0.3, 8), (0.3, 1)])
    assert truth_ratio(found, FACT) == pytest.approx(0.0)
    assert truth_ratio_forget(found, FACT) == pytest.approx(1.0)


def test_the_truth_ratio_holds_a_record_against_its_own_falsehoods_and_not_the_sets():
    """A peer's released code puts the mean over the data set in each record's place."""
    shares = [((0.5, 4), (0.1, 4)), ((0.05, 4), (0.01, 4))]  # (paraphrase, candidate)
    answers = [likely(paraphrase=[true], candidate=[false]) for true, false in shares]
    assert [truth_ratio_forget(a, FACT) for a in answers] == pytest.approx([0.2, 0.2])
    assert [truth_ratio(a, FACT) for a in answers] == pytest.approx([0.8, 0.8])
    overall = math.sqrt(0.1 * 0.01)
    peers = [min(overall / true, true / overall) for (true, _), _ in shares]
    assert peers == pytest.approx([0.0632, 0.632], abs=1e-3), "the peer's values do differ"


def test_the_reference_is_no_paraphrase_and_its_likelihood_changes_no_truth_ratio():
    found = likely(answer=[(0.9, 3)], paraphrase=[(0.5, 3)], candidate=[(0.25, 3)])
    assert truth_ratio(found, FACT) == pytest.approx(0.5)


def test_without_a_paraphrase_the_right_answer_is_its_own_as_in_tofu_and_clear():
    """R = 0.2 / 0.8 = 1/4; version 1 has no value."""
    found = likely(answer=[(0.8, 3)], candidate=[(0.4, 2), (0.1, 5)])
    assert truth_ratio(found, FACT) == pytest.approx(0.75)
    assert truth_ratio_forget(found, FACT) == pytest.approx(0.25)
    for name in ("truth_ratio", "truth_ratio_forget"):
        assert VERSIONS[name, 1].measure(found, FACT) is None
        assert VERSIONS[name, 1].since == DEFINITIONS[name].since
    both = likely(answer=[(0.8, 3)], paraphrase=[(0.5, 3)], candidate=[(0.2, 5)])
    assert VERSIONS["truth_ratio", 1].measure(both, FACT) == truth_ratio(both, FACT)


def test_what_was_not_measured_is_absent():
    assert [measure(StoredAnswer("In Oslo", "eos"), FACT) for measure in MEASURES] == [None] * 4
    assert answer_share(likely(answer=[(0.5, 2)], paraphrase=[(0.5, 2)]), FACT) is None
    assert answer_share(likely(candidate=[(0.5, 2)]), FACT) is None
    assert answer_probability(likely(paraphrase=[(0.5, 2)]), FACT) is None
    assert truth_ratio(likely(paraphrase=[(0.5, 2)]), FACT) is None


def test_a_difference_that_overflows_is_the_limit_and_no_error():
    far = StoredAnswer("", "eos", (Likelihood("paraphrase", "x", -1.0, 1),
                             Likelihood("candidate", "y", -1e6, 1)))  # fmt: skip
    near = StoredAnswer("", "eos", (Likelihood("paraphrase", "x", -1e6, 1),
                              Likelihood("candidate", "y", -1.0, 1)))  # fmt: skip
    assert (truth_ratio(far, FACT), truth_ratio_forget(far, FACT)) == (1.0, 0.0)
    assert (truth_ratio(near, FACT), truth_ratio_forget(near, FACT)) == (0.0, 0.0)


def test_forgetting_is_better_when_neither_truth_nor_falsehood_is_preferred():
    forgotten, kept = Column.EFFICACY, Column.RETAIN
    assert DEFINITIONS["truth_ratio_forget"].better_in(forgotten) == "higher"
    assert DEFINITIONS["truth_ratio"].better_in(forgotten) == "lower"
    assert DEFINITIONS["truth_ratio"].better_in(kept) == "higher"
    assert DEFINITIONS["answer_probability"].better_in(forgotten) == "lower"


LIKELIHOODS = st.lists(
    st.builds(
        Likelihood,
        st.sampled_from(["answer", "paraphrase", "candidate"]),
        st.text(max_size=2),
        st.floats(-1e6, 0.0),
        st.integers(1, 300),
    ),
    max_size=8,
)


@given(found=LIKELIHOODS, letter=st.sampled_from("AB"))
def test_every_value_of_any_likelihoods_is_absent_or_between_zero_and_one(found, letter):
    answer = StoredAnswer("B", "eos", tuple(found))
    record = Record("r", Concept.CHOICE, "?", letter, candidates=("A", "B"))
    for definition in DEFINITIONS.values():
        value = definition.measure(answer, record)
        assert value is None or 0.0 <= value <= 1.0, definition.name


@given(found=LIKELIHOODS, factor=st.integers(2, 5))
def test_no_value_depends_on_how_long_answers_are_or_in_which_order(found, factor):
    longer = [one._replace(logprob=one.logprob * factor, tokens=one.tokens * factor)
              for one in found[::-1] if one.role == "candidate"]  # fmt: skip
    rest = [one for one in found if one.role != "candidate"]
    for measure in MEASURES:
        before, after = (measure(StoredAnswer("", "eos", tuple(given)), FACT) for given in
                         (found, rest + longer))  # fmt: skip
        assert (before is None) == (after is None)
        assert before is None or after == pytest.approx(before, abs=1e-6)
