"""Multiple choice: the letter that a model prefers, and the letter that it writes.

The kit compares the likelihoods of the letters, which needs no parsing. For comparison it also has
the rule of MLLMU-Bench's released code, by which the first generated character decides.
"""

from kit.benchmarks.records import Record
from kit.metrics.definition import StoredAnswer

LETTERS = ("A", "B", "C", "D")  # for records whose letters have no measured likelihood


def choice_accuracy(answer: StoredAnswer, record: Record) -> float | None:
    """Return 1.0 if the right letter is likelier than every other letter; a tie is wrong.

    None if fewer than two letters have a likelihood, or the right one has none.
    """
    letters = {
        given.text: given.logprob for given in answer.likelihoods if given.role == "candidate"
    }
    right = letters.pop(record.answer, None)
    if right is None or not letters:
        return None
    return float(right > max(letters.values()))


def choice_first_character(answer: StoredAnswer, record: Record) -> float | None:
    """Return 1.0 if the answer's first character, upper-cased, is the right letter.

    This is the rule of MLLMU-Bench's released code. It reads any sentence as a letter: "As an AI
    model I cannot know" chooses A. None if the reference is empty.
    """
    return float(_first_character(answer.text) == record.answer) if record.answer else None


def choice_unparsed(answer: StoredAnswer, record: Record) -> float:
    """Return 1.0 if the answer's first character, upper-cased, is not one of the letters."""
    return float(_first_character(answer.text) not in (record.candidates or LETTERS))


def _first_character(text: str) -> str:
    return text.strip()[:1].upper()
