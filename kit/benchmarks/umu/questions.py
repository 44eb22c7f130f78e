"""The questions of one row of UMU-Bench, and the prompts that ask them.

`Classify`, `Cloze` and `Generation` are nested as {modality: {fact: {question, answer, options}}}.
The modality with an image is published under the misspelt key `muitimodal`. Names of fields,
prompts and the rule of the right option are those of the released code
(github.com/QDRhhhh/UMU-bench, commit 93b9900, eval.py).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kit.benchmarks.cells import is_missing, nested, text
from kit.benchmarks.left_out import OddCell, OddRows
from kit.benchmarks.mllmu.questions import ONE_SENTENCE
from kit.benchmarks.modalities import IMAGE_QUESTION, TEXT_QUESTION
from kit.benchmarks.options import mapped, offered, right_letter
from kit.benchmarks.right_answers import RightAnswers
from kit.benchmarks.umu.literals import literal
from kit.benchmarks.umu.protocol import CLOZE, GENERATION, OPTIONS

QUESTIONS = "questions"
TASKS = {"Classify": OPTIONS, "Cloze": CLOZE, "Generation": GENERATION}
MODALITIES = {"unimodal": TEXT_QUESTION, "muitimodal": IMAGE_QUESTION}
SELECT = "Select answer in"
FILL_BLANK = "Please **ONLY** provide the correct answer without any explanation"


@dataclass(frozen=True)
class Question:
    """One question; `fact` is its key, the same in both modalities.

    `options` are the texts of a multiple choice in the order of their letters; `answer` is one of
    them.
    """

    kind: str
    modality: str
    fact: str
    text: str
    answer: str
    options: tuple[str, ...] = ()


def prompt(question: Question) -> str:
    """Return the prompt for the model, without the turns of the conversation."""
    if question.kind == OPTIONS:
        return f"{question.text}\n{SELECT} {list(question.options)}"
    if question.kind == CLOZE:
        return f"{question.text}\n{FILL_BLANK}"
    return f"{question.text}\n{ONE_SENTENCE[question.modality == IMAGE_QUESTION]}"


def questions(
    row: Mapping[str, object], table: str, where: str, odd: OddRows, person: str = ""
) -> Iterator[Question]:
    """Yield the questions of a row, first those in text alone.

    Left out and counted are questions with a field that is not as published, without a text or an
    answer, or whose answer is none of the options.

    Args:
        table: the configuration, for the count.
        where: file and row, for errors.
        person: the person of the row.
    """
    for field, kind in TASKS.items():
        right = RightAnswers()
        letters: dict[str, str] = {}  # of the questions in text alone, by fact
        for key, modality in MODALITIES.items():
            try:
                asked = literal(literal(row[field], where, field).get(key), where, f"{field}.{key}")
            except OddCell as error:
                odd.leave_out(table, error.kind, error.where, person=person, unit=QUESTIONS)
                continue
            for fact, entry in asked.items():
                place = f"{where}, {field}.{key}.{fact}"
                try:
                    yield _question(entry, kind, modality, fact, place, letters, right)
                except OddCell as error:
                    odd.leave_out(table, error.kind, error.where, person=person, unit=QUESTIONS)


def _question(
    entry: object,
    kind: str,
    modality: str,
    fact: str,
    where: str,
    letters: dict[str, str],
    right: RightAnswers,
) -> Question:
    found = nested(entry, dict, where, "the question")
    asked = text(found.get("question"), where, "question")
    if kind == OPTIONS:
        return _choice(found, modality, fact, asked, where, letters, right)
    answer = text(found.get("answer"), where, "answer")
    if kind == CLOZE:
        answer = answer.rstrip(" .") or answer
    return Question(kind, modality, fact, asked, answer)


def _choice(
    found: Mapping[str, object],
    modality: str,
    fact: str,
    asked: str,
    where: str,
    letters: dict[str, str],
    right: RightAnswers,
) -> Question:
    """Return a multiple choice; the released code reads its letter in the question in text alone.

    Args:
        letters: the right letters of the questions in text alone; such a question adds its own.
        right: the right answers of the row.
    """
    given = nested(mapped(found.get("options")), dict, where, "options")
    options = offered(given, where, "options")

    def odd(problem: str, expected: str, seen: object) -> OddCell:
        return OddCell(where, "answer", problem, expected=expected, found=seen)

    own = found.get("answer")
    letter = (
        letters.get(fact) if is_missing(own) else right_letter(text(own, where, "answer"), options)
    )
    if letter not in options:
        expected = f"an option: its letter ({', '.join(sorted(options))}), its text, or both"
        raise odd("is none of the options", expected, own)
    if letters.setdefault(fact, letter) != letter:
        raise odd("is another letter than in text alone", letters[fact], letter)
    texts = tuple(options[each] for each in sorted(options))
    right.note(f"{modality}: {asked}", options[letter], where, options=texts)
    return Question(OPTIONS, modality, fact, asked, options[letter], texts)
