"""Whether an answer refuses, by a fixed list of phrases."""

from functools import cache

from kit.benchmarks.records import Record
from kit.benchmarks.words import words
from kit.experiment.refusals import REFUSALS
from kit.metrics.definition import StoredAnswer

# Of version 1; another list is another version. These are the beginnings of refusals that language
# models commonly write. The refusals that PO, DPO and SIU are trained on count as well.
PHRASES = (
    "I do not know", "I don't know", "I cannot", "I can not", "I can't", "I am not able to",
    "I'm not able to", "I am unable to", "I'm unable to", "I am not sure", "I'm not sure",
    "I am not aware", "I'm not aware", "I am not familiar", "I'm not familiar", "I am sorry",
    "I'm sorry", "I have no information", "I do not have", "I don't have", "I have no idea",
    "unknown to me",
)  # fmt: skip


@cache
def _refusals() -> tuple[str, ...]:
    """Return the phrases, normalised and between blanks, each once."""
    return tuple(dict.fromkeys(f" {' '.join(words(each))} " for each in (*REFUSALS, *PHRASES)))


def refusal_rate(answer: StoredAnswer, record: Record) -> float:
    """Return 1.0 if the answer contains one of the phrases as whole consecutive words.

    Case and punctuation are ignored. An answer that refuses and then answers counts as a refusal;
    an empty answer, or a wrong one, does not.
    """
    text = f" {' '.join(words(answer.text))} "
    return float(any(phrase in text for phrase in _refusals()))
