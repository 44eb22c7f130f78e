"""Yes/no questions about objects in an image, as in POPE: judged by the answer's first word.

POPE (arXiv 2305.10355) asks about absent objects that it draws in three ways, its groups.
"""

from kit.benchmarks.records import VERDICTS, Record
from kit.metrics.definition import Answer, Measure
from kit.words import words


def presence_accuracy(answer: Answer, record: Record) -> float | None:
    """Return 1.0 if the first word is the reference's yes or no; anything else is wrong.

    None where the reference itself begins with neither.
    """
    reference = _first_word(record.answer)
    if reference not in VERDICTS:
        return None
    return float(_first_word(answer.text) == reference)


def yes_rate(answer: Answer, record: Record) -> float:
    """Return 1.0 if the first word is yes: a model that always says yes has yes_rate 1."""
    return float(_first_word(answer.text) == "yes")


def unparsed(answer: Answer, record: Record) -> float:
    """Return 1.0 if the first word is neither yes nor no; presence_accuracy counts it as wrong."""
    return float(_first_word(answer.text) not in VERDICTS)


def presence_f1(answer: Answer, record: Record) -> float | None:
    """Return an answer's part in F1 = 2 TP / (2 TP + FP + FN), with yes as the positive class.

    1.0 for a true positive, 0.0 for a false positive or negative; None for a true negative, which
    F1 does not count, and where the reference is neither yes nor no. An answer that is neither
    counts as not-yes. With `f1_weight` the weighted mean of a set is its F1.
    """
    reference = _first_word(record.answer)
    said_yes = _first_word(answer.text) == "yes"
    if reference not in VERDICTS or not (said_yes or reference == "yes"):
        return None
    return float(said_yes and reference == "yes")


def f1_weight(answer: Answer, record: Record) -> float | None:
    """Return how often F1 counts an answer: 2.0 a true positive, 1.0 a false one; None as above."""
    part = presence_f1(answer, record)
    return None if part is None else 1.0 + part


def within(group: str, measure: Measure) -> Measure:
    """Return `measure` for the records of one group; None for those of any other."""

    def measured(answer: Answer, record: Record) -> float | None:
        return measure(answer, record) if record.group == group else None

    return measured


def _first_word(text: str) -> str:
    return next(iter(words(text)), "")
