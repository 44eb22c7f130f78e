"""Multiple choice: which letter does a model prefer, and which one does it write?

The kit reads the letters' likelihoods and needs no parsing. The rule of MLLMU-Bench's released
code is kept beside it for comparison: the first character that was generated decides.
"""

from kit.benchmarks.records import Record
from kit.metrics.definition import Answer

LETTERS = ("A", "B", "C", "D")  # of a record whose letters are not scored


def choice_accuracy(answer: Answer, record: Record) -> float | None:
    """Return 1.0 if the right letter is likelier than each other one; a tie with it is wrong.

    None where fewer than two letters, or not the right one, have a likelihood.
    """
    letters = {
        given.text: given.logprob for given in answer.likelihoods if given.role == "candidate"
    }
    right = letters.pop(record.answer, None)
    if right is None or not letters:
        return None
    return float(right > max(letters.values()))


def choice_first_character(answer: Answer, record: Record) -> float | None:
    """Return 1.0 if the answer's first character, upper-cased, is the right letter.

    The released MLLMU-Bench code's rule. It reads any sentence as a letter: "As an AI model I
    cannot know" chooses A. None where the reference is empty.
    """
    return float(_first_character(answer.text) == record.answer) if record.answer else None


def choice_unparsed(answer: Answer, record: Record) -> float:
    """Return 1.0 if the answer's first character, upper-cased, is none of the letters."""
    return float(_first_character(answer.text) not in (record.candidates or LETTERS))


def _first_character(text: str) -> str:
    return text.strip()[:1].upper()
