"""Metrics of the single tokens of a given answer: how much of it could the model write by itself?

The end token belongs to the probability, as in `kit.metrics.likelihoods`. It does not count as
memorised or extracted: that an answer ends is nothing that was learned about a person.
"""

import math

import numpy as np

from kit.benchmarks.records import Record
from kit.metrics.definition import GivenTokens, StoredAnswer


def reference_of(answer: StoredAnswer) -> GivenTokens | None:
    """Return the tokens of the reference answer; None if they were not measured."""
    return next((given for given in answer.tokens if given.role == "answer"), None)


def probability(answer: StoredAnswer, record: Record) -> float | None:
    """Return exp(-M) of the reference answer, in [0, 1]: TOFU's probability (arXiv 2401.06121).

    M is the mean loss of its tokens. None if it was not measured.
    """
    given = reference_of(answer)
    return None if given is None else math.exp(float(given.logprobs.mean()))


def truth_ratio_prob(answer: StoredAnswer, record: Record) -> float | None:
    """Return P_true / (P_true + P_false) = 1 / (1 + R), in [0, 1]; 0.5: neither is preferred.

    P_true is that of the paraphrase or, without one, of the reference. P_false is the geometric
    mean of the wrong answers' P: R is that of TOFU. This form stands beside TOFU's two since
    open-unlearning (pull request 163). None without wrong answers.
    """
    means = {role: [float(each.logprobs.mean()) for each in answer.tokens if each.role == role]
             for role in ("paraphrase", "answer", "candidate")}  # fmt: skip
    true, false = means["paraphrase"] or means["answer"], means["candidate"]
    if not true or not false:
        return None
    ratio = math.fsum(false) / len(false) - true[0]  # log R
    return 1 / (1 + math.exp(ratio)) if ratio < 0 else math.exp(-ratio) / (1 + math.exp(-ratio))


def exact_memorisation(answer: StoredAnswer, record: Record) -> float | None:
    """Return the share of the reference's tokens that are the likeliest ones, in [0, 1].

    Each is predicted after the true tokens before it (Tirumala et al., arXiv 2205.10770, as
    open-unlearning has it). The end token is left out.
    """
    hits = _hits(answer)
    return None if hits is None else float(hits.mean())


def extraction_strength(answer: StoredAnswer, record: Record) -> float | None:
    """Return 1 - k / T, in [0, 1]: how much of the reference follows from its first k tokens.

    T is the number of tokens without the end token. k is the smallest number of tokens after which
    every further one is the likeliest (Carlini et al., arXiv 2012.07805, in the form of
    open-unlearning). Where the last token is not, k = T and the strength is 0. In
    open-unlearning's `memorization.py` it is then 1 / T: k ends at T - 1.
    """
    hits = _hits(answer)
    if hits is None:
        return None
    missed = np.flatnonzero(~hits)
    return 1 - (int(missed[-1]) + 1) / len(hits) if len(missed) else 1.0


def _hits(answer: StoredAnswer) -> np.ndarray | None:
    """Return [T] bool: which tokens of the reference are the likeliest; None without tokens."""
    given = reference_of(answer)
    if given is None or len(given.ranks) < 2:
        return None
    return np.asarray(given.ranks[:-1] == 1)
