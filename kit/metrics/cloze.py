"""Cloze questions: whether the answer contains the missing words."""

from kit.benchmarks.records import Record
from kit.benchmarks.words import contains_phrase, words
from kit.metrics.definition import StoredAnswer


def cloze_hit(answer: StoredAnswer, record: Record) -> float | None:
    """Return 1.0 if the lower-cased reference is a substring of the lower-cased answer.

    This is MLLMU-Bench's rule. It ignores word boundaries: "female" matches the reference "male",
    and "started" matches "art". None if the reference is empty.
    """
    wanted = record.answer.strip().lower()
    return float(wanted in answer.text.lower()) if wanted else None


def cloze_words(answer: StoredAnswer, record: Record) -> float | None:
    """Return 1.0 if the answer contains the reference's words, whole, consecutive and in order.

    None if the reference has no words.
    """
    return float(contains_phrase(answer.text, record.answer)) if words(record.answer) else None
