"""Filled blanks: do the missing words stand in the answer?"""

from kit.benchmarks.records import Record
from kit.metrics.definition import Answer
from kit.words import contains_phrase, words


def cloze_hit(answer: Answer, record: Record) -> float | None:
    """Return 1.0 if the lower-cased reference is a substring of the lower-cased answer.

    MLLMU-Bench's rule. It does not know words: the reference "male" is hit by "female", and "art"
    by "started". None where the reference is empty.
    """
    wanted = record.answer.strip().lower()
    return float(wanted in answer.text.lower()) if wanted else None


def cloze_words(answer: Answer, record: Record) -> float | None:
    """Return 1.0 if the reference's words stand in the answer, whole, consecutive and in order.

    None where the reference has no word.
    """
    return float(contains_phrase(answer.text, record.answer)) if words(record.answer) else None
