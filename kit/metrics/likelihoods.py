"""How likely a model finds given answers: the metrics of TOFU (arXiv 2401.06121) and CLEAR.

Every likelihood is normalised by length, the geometric mean over an answer's tokens with its end:
P = exp(logprob / tokens) = exp(-M), where M is the mean token loss. All answers that are compared
belong to ONE record, so they were given to the same question about the same image. CLEAR's
released code puts the mean over the whole data set in the place of a record's perturbed loss; its
truth ratio is then only a rescaled probability.
"""

import math

from kit.benchmarks.records import Record
from kit.metrics.definition import Answer


def answer_probability(answer: Answer, record: Record) -> float | None:
    """Return P of the reference answer; None where it was not measured."""
    found = _mean_logprobs(answer, "answer")
    return math.exp(found[0]) if found else None


def answer_share(answer: Answer, record: Record) -> float | None:
    """Return P_c / (P_c + sum of P_w): reference answer c against each wrong candidate w.

    A model that finds all equally likely scores 1 / their number. None without candidates.
    """
    right, wrong = _mean_logprobs(answer, "answer"), _mean_logprobs(answer, "candidate")
    if not right or not wrong:
        return None
    # Divided by the largest: of answers that are all very unlikely, exp alone would leave 0 / 0.
    most = max(right[0], *wrong)
    own = math.exp(right[0] - most)
    return own / (own + math.fsum(math.exp(value - most) for value in wrong))


def truth_ratio(answer: Answer, record: Record) -> float | None:
    """Return max(0, 1 - R): TOFU's truth ratio where a concept is to be kept.

    R = exp(-mean_w M_w) / exp(-M_para): the geometric mean of the perturbed (wrong) answers'
    likelihoods over that of the paraphrased right answer. Near 1 the model much prefers what is
    true; 0 where it finds falsehoods as likely or likelier. None without a paraphrase or without
    candidates.
    """
    ratio = _log_ratio(answer)
    # expm1: exact where R is near 1, and R is never computed where it would overflow.
    return None if ratio is None else max(0.0, -math.expm1(min(ratio, 0.0)))


def truth_ratio_forget(answer: Answer, record: Record) -> float | None:
    """Return min(R, 1/R): TOFU's truth ratio where a concept is to be forgotten; R as above.

    1 where a model has no preference between truth and falsehood, as one that never learnt it;
    near 0 where it prefers either by far. So higher is better for what is to be forgotten, and
    lower is taken to be better for what is to be kept; but a model that insists on falsehoods is
    low as well, and `truth_ratio` tells the two apart. None as above.
    """
    ratio = _log_ratio(answer)
    return None if ratio is None else math.exp(-abs(ratio))


def _log_ratio(answer: Answer) -> float | None:
    """Return log R = M_para - mean_w M_w, in nats; the mean over this record's candidates alone."""
    true, false = _mean_logprobs(answer, "paraphrase"), _mean_logprobs(answer, "candidate")
    if not true or not false:
        return None
    return math.fsum(false) / len(false) - true[0]


def _mean_logprobs(answer: Answer, role: str) -> list[float]:
    """Return -M of each answer of a role, in nats a token."""
    return [given.logprob / given.tokens for given in answer.likelihoods if given.role == role]
