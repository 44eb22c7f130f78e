"""Yes/no questions about objects in an image, as in POPE: the first word of the answer counts.

POPE (arXiv 2305.10355) draws the absent objects in three ways, which are its groups.
"""

from kit.benchmarks.records import VERDICTS, Record
from kit.benchmarks.words import words
from kit.metrics.definition import Measure, StoredAnswer


def presence_accuracy(answer: StoredAnswer, record: Record) -> float | None:
    """Return 1.0 if the first word is the yes or no of the reference, else 0.0.

    None if the reference begins with neither.
    """
    reference = _first_word(record.answer)
    if reference not in VERDICTS:
        return None
    return float(_first_word(answer.text) == reference)


def yes_rate(answer: StoredAnswer, record: Record) -> float:
    """Return 1.0 if the first word is yes, right or wrong."""
    return float(_first_word(answer.text) == "yes")


def unparsed(answer: StoredAnswer, record: Record) -> float:
    """Return 1.0 if the first word is neither yes nor no; presence_accuracy counts it as wrong."""
    return float(_first_word(answer.text) not in VERDICTS)


def presence_f1(answer: StoredAnswer, record: Record) -> float | None:
    """Return an answer's contribution to F1 = 2 TP / (2 TP + FP + FN); yes is the positive class.

    1.0 for a true positive, 0.0 for a false positive or negative. None for a true negative, which
    F1 does not count, and if the reference is neither yes nor no. An answer that is neither counts
    as "not yes". With `f1_weight`, the weighted mean of a set is its F1.
    """
    reference = _first_word(record.answer)
    said_yes = _first_word(answer.text) == "yes"
    if reference not in VERDICTS or not (said_yes or reference == "yes"):
        return None
    return float(said_yes and reference == "yes")


def f1_weight(answer: StoredAnswer, record: Record) -> float | None:
    """Return the weight of an answer in F1: 2.0 if a true positive, 1.0 if false; else None."""
    part = presence_f1(answer, record)
    return None if part is None else 1.0 + part


def released_verdict(text: str) -> str:
    """Return the yes or no that POPE's released evaluate.py reads in an answer.

    It keeps what stands before the first full stop, deletes commas and looks for the words "No",
    "no" and "not" between blanks. Everything else is a yes: an empty answer, "NO", "Perhaps", and
    any text of a collapsed model.
    """
    given = text.partition(".")[0].replace(",", "").split(" ")
    return "yes" if {"No", "no", "not"}.isdisjoint(given) else "no"


def presence_accuracy_released(answer: StoredAnswer, record: Record) -> float | None:
    """Return 1.0 if `released_verdict` is the yes or no of the reference, else 0.0.

    None if the reference begins with neither.
    """
    reference = _first_word(record.answer)
    return float(released_verdict(answer.text) == reference) if reference in VERDICTS else None


def presence_f1_released(answer: StoredAnswer, record: Record) -> float | None:
    """Return an answer's contribution to F1, as `presence_f1` does, by `released_verdict`."""
    reference = _first_word(record.answer)
    said_yes = released_verdict(answer.text) == "yes"
    if reference not in VERDICTS or not (said_yes or reference == "yes"):
        return None
    return float(said_yes and reference == "yes")


def f1_released_weight(answer: StoredAnswer, record: Record) -> float | None:
    """Return the weight of an answer in the released F1: 2.0 if a true positive, 1.0 if false."""
    part = presence_f1_released(answer, record)
    return None if part is None else 1.0 + part


def within(group: str, measure: Measure) -> Measure:
    """Return a measure that equals `measure` on the records of one group and is None elsewhere."""

    def measured(answer: StoredAnswer, record: Record) -> float | None:
        return measure(answer, record) if record.group == group else None

    return measured


def _first_word(text: str) -> str:
    return next(iter(words(text)), "")
