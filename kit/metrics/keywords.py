"""The share of an event's keywords that an answer contains."""

from kit.benchmarks.records import Record
from kit.benchmarks.words import contains_phrase, words
from kit.metrics.definition import StoredAnswer


def keyword_recall(answer: StoredAnswer, record: Record) -> float | None:
    """Return the share of the event's distinct keywords that the answer contains as whole phrases.

    None if the record lists no keyword.
    """
    keywords = {words(keyword) for keyword in record.keywords} - {()}
    if not keywords:
        return None
    found = sum(contains_phrase(answer.text, " ".join(keyword)) for keyword in keywords)
    return found / len(keywords)


def event_forget(answer: StoredAnswer, record: Record) -> float | None:
    """Return 1 - keyword_recall; an answer about something else, or an empty one, scores 1.0."""
    recall = keyword_recall(answer, record)
    return None if recall is None else 1.0 - recall
