"""Whether an answer is broken text: it repeats itself, or never ends."""

from kit.benchmarks.records import Record
from kit.metrics.definition import Answer
from kit.words import words

GRAM = 4  # words; shorter grams repeat in sound prose, longer ones miss short loops


def repetition(answer: Answer, record: Record) -> float | None:
    """Return 1 - distinct 4-grams / 4-grams of the answer's words; None below four words."""
    tokens = words(answer.text)
    grams = [tokens[i : i + GRAM] for i in range(len(tokens) - GRAM + 1)]
    return 1.0 - len(set(grams)) / len(grams) if grams else None


def unterminated(answer: Answer, record: Record) -> float:
    """Return 1.0 if generation ended at the length limit instead of an end token."""
    return float(answer.stop == "length")
