"""Whether an answer is broken text: it repeats itself, does not end, says nothing, or no sense."""

import math

from kit.benchmarks.records import Record
from kit.benchmarks.words import words
from kit.metrics.definition import StoredAnswer

NGRAM_WORDS = 4  # shorter n-grams repeat in sound prose, longer ones miss short loops


def repetition(answer: StoredAnswer, record: Record) -> float | None:
    """Return 1 - distinct 4-grams / all 4-grams of the answer's words; None below four words."""
    tokens = words(answer.text)
    grams = [tokens[i : i + NGRAM_WORDS] for i in range(len(tokens) - NGRAM_WORDS + 1)]
    return 1.0 - len(set(grams)) / len(grams) if grams else None


def unterminated(answer: StoredAnswer, record: Record) -> float:
    """Return 1.0 if generation stopped at the length limit instead of an end token."""
    return float(answer.stop == "length")


def monotonous(answer: StoredAnswer, record: Record) -> float:
    """Return 1.0 if the answer has no word, or one word twice or more and no other."""
    said = words(answer.text)
    return float(not said or (len(said) > 1 and len(set(said)) == 1))


def loss_under_vanilla(answer: StoredAnswer, record: Record) -> float | None:
    """Return Vanilla's mean loss of the answer's tokens, in nats; None if it was not read."""
    return None if answer.read is None else -answer.read


def probability_under_vanilla(answer: StoredAnswer, record: Record) -> float | None:
    """Return the geometric mean of the probabilities that Vanilla gives to the answer's tokens."""
    return None if answer.read is None else math.exp(answer.read)
