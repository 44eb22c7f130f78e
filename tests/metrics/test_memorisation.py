"""Metrics of single tokens: values worked out by hand, limits and invariances."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.benchmarks.records import Concept, Record
from kit.experiment.settings import LIKELIHOOD
from kit.metrics import StoredAnswer
from kit.metrics.definition import GivenTokens
from kit.metrics.families import OF_ANSWERS
from kit.metrics.likelihoods import truth_ratio_forget
from kit.metrics.memorisation import (
    exact_memorisation,
    extraction_strength,
    probability,
    truth_ratio_prob,
)
from tests.metrics.test_likelihood_metrics import likely

FACT = Record("r", Concept.FACT, "Where was she born?", "In Oslo")


def tokens(probabilities, ranks=None, role="answer", text="x"):
    """Return the tokens of a given answer; entropies and deviations are those of a coin."""
    logprobs = np.log(np.array(probabilities, dtype=np.float64))
    ranks = np.array(ranks if ranks is not None else [1] * len(logprobs))
    coin = np.full(len(logprobs), math.log(2))
    return GivenTokens(role, text, len(text), logprobs, ranks, coin, coin * 0)


def answer(*listed):
    return StoredAnswer("", "eos", (), listed)


def strength(*ranks):
    return extraction_strength(answer(tokens([0.5] * len(ranks), ranks)), FACT)


def test_probability_is_the_geometric_mean_with_the_end_token():
    assert probability(answer(tokens([0.9, 0.4, 0.6])), FACT) == pytest.approx(0.216 ** (1 / 3))


def test_extraction_strength_is_the_share_after_the_last_miss():
    """The last rank is that of the end token, which does not count."""
    assert strength(1, 1, 1, 1, 1) == 1.0
    assert strength(2, 1, 1, 1, 1) == 0.75
    assert strength(1, 1, 2, 1, 1) == 0.25, "only the last of four follows"
    assert strength(1, 1, 1, 3, 1) == 0.0, "a peer's code says 1 / T here"
    assert strength(2, 2, 2, 2, 1) == 0.0
    assert strength(1, 1, 1, 1, 9) == 1.0, "the end token does not count"
    assert strength(7, 1) == 0.0, "one token that is missed: nothing can be extracted"


def test_exact_memorisation_is_the_share_of_hits_without_the_end_token():
    assert exact_memorisation(answer(tokens([0.5] * 5, [1, 2, 1, 1, 4])), FACT) == 0.75
    assert exact_memorisation(answer(tokens([0.5] * 2, [2, 1])), FACT) == 0.0


def test_the_prob_variant_of_the_truth_ratio_is_one_over_one_plus_r():
    # R = sqrt(0.1 * 0.4) / 0.5 = 0.4, so 1 / 1.4.
    found = answer(
        tokens([0.5] * 3, role="paraphrase"),
        tokens([0.9] * 3),
        tokens([0.1] * 2, role="candidate"),
        tokens([0.4] * 5, role="candidate", text="y"),
    )
    assert truth_ratio_prob(found, FACT) == pytest.approx(1 / 1.4)
    tofu = likely(paraphrase=[(0.5, 3)], candidate=[(0.1, 2), (0.4, 5)])
    assert truth_ratio_forget(tofu, FACT) == pytest.approx(0.4), "another number, another name"
    even = answer(tokens([0.3]), tokens([0.3] * 4, role="candidate"))
    assert truth_ratio_prob(even, FACT) == pytest.approx(0.5)


def test_the_prob_variant_has_limits_and_no_overflow():
    def of(own, other):
        found = [tokens([1.0]), tokens([1.0], role="candidate")]
        found = [
            one._replace(logprobs=np.array([value]))
            for one, value in zip(found, (own, other), strict=True)
        ]
        return truth_ratio_prob(answer(*found), FACT)

    assert of(-1e6, 0.0) == 0.0
    assert of(0.0, -1e6) == 1.0


def test_what_was_not_measured_is_absent():
    nothing = StoredAnswer("In Oslo", "eos")
    for definition in OF_ANSWERS[LIKELIHOOD]:
        assert definition.measure(nothing, FACT) is None
    assert truth_ratio_prob(answer(tokens([0.5])), FACT) is None
    only_the_end = answer(tokens([0.5]))
    assert extraction_strength(only_the_end, FACT) is None
    assert exact_memorisation(only_the_end, FACT) is None


TOKENS = st.lists(st.tuples(st.floats(1e-30, 1.0), st.integers(1, 5)), min_size=2, max_size=9)


@given(listed=TOKENS, wrong=TOKENS)
def test_every_value_is_between_zero_and_one_and_no_more_is_extracted_than_memorised(listed, wrong):
    own, other = (tokens(*zip(*each, strict=True)) for each in (listed, wrong))
    found = answer(own, other._replace(role="candidate", text="y"))
    for definition in OF_ANSWERS[LIKELIHOOD]:
        value = definition.measure(found, FACT)
        assert 0.0 <= value <= 1.0, definition.name
    assert extraction_strength(found, FACT) <= exact_memorisation(found, FACT) + 1e-12


@given(listed=TOKENS)
def test_one_more_hit_never_lowers_memorisation_or_extraction(listed):
    shares, ranks = zip(*listed, strict=True)
    for place in range(len(ranks)):
        better = [1 if n == place else rank for n, rank in enumerate(ranks)]
        for measure in (exact_memorisation, extraction_strength):
            before = measure(answer(tokens(shares, ranks)), FACT)
            assert measure(answer(tokens(shares, better)), FACT) >= before
