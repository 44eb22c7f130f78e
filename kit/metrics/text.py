"""Which of an event's keywords an answer holds, and whether it is broken text."""

from kit.metrics.definition import Answer
from kit.metrics.words import contains_phrase, words
from kit.records import Record

GRAM = 4  # words; shorter grams repeat in sound prose, longer ones miss short loops


def keyword_recall(answer: Answer, record: Record) -> float | None:
    """Return the share of the event's distinct keywords that the answer holds as whole phrases.

    None where the record lists no keyword.
    """
    keywords = {words(keyword) for keyword in record.keywords} - {()}
    if not keywords:
        return None
    found = sum(contains_phrase(answer.text, " ".join(keyword)) for keyword in keywords)
    return found / len(keywords)


def event_forget(answer: Answer, record: Record) -> float | None:
    """Return 1 - keyword_recall; an answer about anything else, or about nothing, scores 1.0."""
    recall = keyword_recall(answer, record)
    return None if recall is None else 1.0 - recall


def repetition(answer: Answer, record: Record) -> float | None:
    """Return 1 - distinct 4-grams / 4-grams of the answer's words; None below four words."""
    tokens = words(answer.text)
    grams = [tokens[i : i + GRAM] for i in range(len(tokens) - GRAM + 1)]
    return 1.0 - len(set(grams)) / len(grams) if grams else None


def unterminated(answer: Answer, record: Record) -> float:
    """Return 1.0 if generation ended at the length limit instead of an end token."""
    return float(answer.stop == "length")
