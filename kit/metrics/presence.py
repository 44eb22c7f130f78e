"""Yes/no questions about objects in an image, as in POPE: judged by the answer's first word."""

from kit.metrics.definition import Answer
from kit.metrics.words import words
from kit.records import Record

VERDICTS = ("yes", "no")


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


def _first_word(text: str) -> str:
    return next(iter(words(text)), "")
