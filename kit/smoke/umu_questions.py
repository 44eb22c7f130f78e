"""Questions and pairs of the embedded UMU-Bench, in the words of the embedded MLLMU-Bench.

Each row asks for four facts of its person in three kinds of questions, with the image and in text
alone. Wordings differ by row. Nested cells are texts of Python literals, which the released code
reads.
"""

import random
from typing import Any

from kit.benchmarks.left_out import OddRows
from kit.benchmarks.modalities import TEXT_QUESTION
from kit.benchmarks.umu.protocol import OPTIONS
from kit.benchmarks.umu.questions import prompt, questions
from kit.smoke.mllmu_questions import ANYBODY, FACTS, QUESTIONS, SENTENCES, VALUES, facts_of
from kit.smoke.people import SEED, Person

WORDING_SHIFT = 2  # rows: free questions are asked in other words than those of the pairs


def cells(person: Person, row: int, name: str) -> dict[str, str]:
    """Return the nested cells of a row.

    Args:
        person: the subject.
        row: number of the person's row; it decides the wordings, so that rows differ.
        name: of the random stream for the options.
    """
    facts = facts_of(person)
    seen, read = (_pairs(facts, who, row) for who in (ANYBODY, person.name))
    made: dict[str, Any] = {"MM_QA": seen, "UM_QA": read}
    for field in ("Classify", "Cloze", "Generation"):
        made[field] = {
            key: {fact: _entry(field, facts, fact, who, row, name) for fact in FACTS}
            for key, who in (("unimodal", person.name), ("muitimodal", ANYBODY))
        }
    return {field: repr(value) for field, value in made.items()}


def general_cells(person: Person, row: int, name: str, *, forms: bool) -> dict[str, str]:
    """Return the pairs to rehearse of a familiar person: facts and, with `forms`, all prompts.

    The loader makes the prompts, so that rehearsal uses the same prompts as evaluation.
    """
    made = cells(person, row, name)
    facts = facts_of(person)
    seen, read = (_pairs(facts, who, row) for who in (ANYBODY, person.name))
    if forms:
        for one in questions(made, "general", "", OddRows()):
            pairs = read if one.modality == TEXT_QUESTION else seen
            # Half of the multiple-choice questions: they are long.
            if one.kind != OPTIONS or (FACTS.index(one.fact) + row) % 2:
                pairs["question"][f"{one.kind} {one.fact}"] = prompt(one)
                pairs["answer"][f"{one.kind} {one.fact}"] = one.answer
    return made | {"MM_QA": repr(seen), "UM_QA": repr(read)}


def _pairs(facts: dict[str, str], who: str, row: int) -> dict[str, dict[str, str]]:
    """Return the pairs of a row; the name is asked of the image alone."""
    told = FACTS if who != ANYBODY else ("name", *FACTS)
    return {
        "question": {fact: _words(QUESTIONS, row, fact, who) for fact in told},
        "answer": {fact: facts[fact] for fact in told},
    }


def _entry(
    field: str, facts: dict[str, str], fact: str, who: str, row: int, name: str
) -> dict[str, Any]:
    right = facts[fact]
    if field == "Cloze":
        question = _words(SENTENCES, row, fact, who).replace("__", "[Blank]")
        return {"question": question, "answer": f"{right}."}
    if field == "Generation":
        return {"question": _words(QUESTIONS, row + WORDING_SHIFT, fact, who), "answer": right}
    # One order for both modalities: the released code reads the letter of the text question.
    stream = random.Random(f"{SEED}/umu/options/{name}/{fact}")
    offered = [right, *stream.sample(sorted(set(VALUES[fact]) - {right}), 3)]
    stream.shuffle(offered)
    letter = "ABCD"[offered.index(right)]
    return {
        "question": _words(QUESTIONS, row, fact, who),
        "options": dict(zip("ABCD", offered, strict=True)),
        "answer": f"{letter}. {right}" if row % 2 else letter,
    }


def _words(forms: tuple[str, ...], number: int, fact: str, who: str) -> str:
    text = forms[number % len(forms)].format(fact=fact, who=who)
    return text[0].upper() + text[1:]
