"""What metrics of a whole system read off each answer: numbers without limits, in no column.

They are computed once for each answer of a result whose manifest asks for what they rest on.
"""

from collections.abc import Callable, Mapping

from kit.benchmarks.records import Record
from kit.metrics import form, likelihoods, membership, overlap
from kit.metrics.definition import StoredAnswer
from kit.metrics.memorisation import reference_of

Reading = Callable[[StoredAnswer, Record], float | None]


def _of_reference(score: membership.Score) -> Reading:
    def read(answer: StoredAnswer, record: Record) -> float | None:
        given = reference_of(answer)
        return None if given is None else score(given)

    return read


def log_truth_ratio(answer: StoredAnswer, record: Record) -> float | None:
    """Return log R of the truth ratio (`kit.metrics.likelihoods`); None without wrong answers."""
    return likelihoods.log_ratio(answer, likelihoods.OR_ANSWER)


OF_TOKENS: Mapping[str, Reading] = {
    **{name: _of_reference(score) for name, score in membership.SCORES.items()},
    "log_truth_ratio": log_truth_ratio,
    "rouge_l_recall": overlap.rouge_l_recall,
}
OF_READ: Mapping[str, Reading] = {"loss_under_vanilla": form.loss_under_vanilla}
READINGS: Mapping[str, Reading] = {**OF_TOKENS, **OF_READ}
