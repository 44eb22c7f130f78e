"""Multiple choice: the letter that a model prefers, and the letter that it writes.

The kit compares the likelihoods of the letters, which needs no parsing. For comparison it also has
the rule of MLLMU-Bench's released code, by which the first generated character decides. UMU-Bench
asks for the text of an option instead of its letter.
"""

from difflib import SequenceMatcher

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


def option_hit(answer: StoredAnswer, record: Record) -> float | None:
    """Return 1.0 if the answer, without surrounding blanks, is the text of the right option.

    This is the rule of UMU-Bench's released code for fictitious people (eval.py, mode "default").
    None if the reference is empty.
    """
    return float(answer.text.strip() == record.answer) if record.answer else None


def option_nearest(answer: StoredAnswer, record: Record) -> float | None:
    """Return 1.0 if the right option is the most similar one to the answer; of a tie, the first.

    Similarity is difflib's ratio. This is the rule of UMU-Bench's released code for real people
    (eval.py, `select_answer`). None if the record lists no options.
    """
    if record.answer not in record.candidates:
        return None
    said = answer.text.strip()
    ratios = [SequenceMatcher(None, said, option).ratio() for option in record.candidates]
    return float(record.candidates[ratios.index(max(ratios))] == record.answer)


def _first_character(text: str) -> str:
    return text.strip()[:1].upper()
