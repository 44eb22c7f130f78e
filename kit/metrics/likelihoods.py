"""Metrics of the likelihood of given answers, from TOFU (arXiv 2401.06121) and CLEAR.

Every likelihood is normalised by length: the geometric mean over an answer's tokens, including the
end token: P = exp(logprob / tokens) = exp(-M), where M is the mean token loss. All answers that are
compared belong to ONE record, so they answer the same question about the same image. CLEAR's
released code replaces a record's perturbed loss by the mean over the whole data set; its truth
ratio is then only a rescaled probability.
"""

import math

from kit.benchmarks.records import Record
from kit.metrics.definition import StoredAnswer

PARAPHRASE, OR_ANSWER = ("paraphrase",), ("paraphrase", "answer")  # roles of the true answer


def answer_probability(answer: StoredAnswer, record: Record) -> float | None:
    """Return P of the reference answer; None if it was not measured."""
    found = _mean_logprobs(answer, "answer")
    return math.exp(found[0]) if found else None


def answer_share(answer: StoredAnswer, record: Record) -> float | None:
    """Return P_c / (P_c + sum of P_w) for the reference answer c and the wrong candidates w.

    A model that finds all answers equally likely scores 1 / their number. None without candidates.
    """
    right, wrong = _mean_logprobs(answer, "answer"), _mean_logprobs(answer, "candidate")
    if not right or not wrong:
        return None
    # Divided by the largest: with exp alone, very unlikely answers would give 0 / 0.
    most = max(right[0], *wrong)
    own = math.exp(right[0] - most)
    return own / (own + math.fsum(math.exp(value - most) for value in wrong))


def truth_ratio(answer: StoredAnswer, record: Record) -> float | None:
    """Return max(0, 1 - R): TOFU's truth ratio for a concept that is kept.

    R = exp(-mean_w M_w) / exp(-M_para): the geometric mean of the likelihoods of the perturbed
    (wrong) answers, divided by the likelihood of the paraphrased right answer. Near 1, the model
    strongly prefers the truth. At 0, it finds falsehoods as likely or likelier.

    Where a record has no paraphrase, the right answer itself takes its place, as TOFU and CLEAR do
    for names, real faces and the real world. None without wrong answers.
    """
    return _kept(log_ratio(answer, OR_ANSWER))


def truth_ratio_1(answer: StoredAnswer, record: Record) -> float | None:
    """Return version 1 of `truth_ratio`: None where the record has no paraphrase."""
    return _kept(log_ratio(answer, PARAPHRASE))


def truth_ratio_forget(answer: StoredAnswer, record: Record) -> float | None:
    """Return min(R, 1/R), with R as in `truth_ratio`: TOFU's truth ratio for a forgotten concept.

    1 if the model has no preference between truth and falsehood, like a model that never learned
    the concept; near 0 if it strongly prefers either. Higher is therefore better for what is
    forgotten, and lower for what is kept. A model that insists on falsehoods scores low as well;
    `truth_ratio` distinguishes the two. None without wrong answers.
    """
    return _forgotten(log_ratio(answer, OR_ANSWER))


def truth_ratio_forget_1(answer: StoredAnswer, record: Record) -> float | None:
    """Return version 1 of `truth_ratio_forget`: None where the record has no paraphrase."""
    return _forgotten(log_ratio(answer, PARAPHRASE))


def _kept(ratio: float | None) -> float | None:
    # expm1 is exact near R = 1, and min avoids the overflow of a large R.
    return None if ratio is None else max(0.0, -math.expm1(min(ratio, 0.0)))


def _forgotten(ratio: float | None) -> float | None:
    return None if ratio is None else math.exp(-abs(ratio))


def log_ratio(answer: StoredAnswer, roles: tuple[str, ...]) -> float | None:
    """Return log R = M_true - mean_w M_w in nats; the mean is over this record's candidates.

    The true answer is the one of the first of `roles` that was measured.
    """
    measured = (_mean_logprobs(answer, role) for role in roles)
    true, false = next(filter(None, measured), []), _mean_logprobs(answer, "candidate")
    if not true or not false:
        return None
    return math.fsum(false) / len(false) - true[0]


def _mean_logprobs(answer: StoredAnswer, role: str) -> list[float]:
    """Return -M of each answer with this role, in nats per token."""
    return [given.logprob / given.tokens for given in answer.likelihoods if given.role == role]
