"""What the embedded MLLMU-Bench asks and teaches: facts of a person, in few, short words.

The base of the small experiment is tiny, so all forms share their words, and answers are the bare
values. It learnt the forms from people whom it has read about (kit/smoke/curriculum.py), letters
included, as a model of the real experiment has: what fine-tuning adds is new people, in plain
questions. LoRA cannot teach so small a base a form or a word that it never met. A form has five
wordings, so that a person can be asked the same fact in different words.
"""

import random
from typing import Any

from kit.benchmarks.mllmu.profiles import questions
from kit.benchmarks.mllmu.protocol import CHOICE, IMAGE_QUESTION, TEXT_QUESTION
from kit.benchmarks.mllmu.questions import prompt
from kit.benchmarks.pebench import PERSON_QUESTION
from kit.smoke.people import SEED, Person

ANYBODY = "this person"
QUESTIONS = (
    "What is the {fact} of {who}?",
    "Which {fact} does {who} have?",
    "Name the {fact} of {who}.",
    "Tell the {fact} of {who}.",
    "Say the {fact} of {who}.",
)
SENTENCES = (
    "The {fact} of {who} is __.",
    "{who} has the {fact} __.",
    "__ is the {fact} of {who}.",
    "The {fact} __ is that of {who}.",
    "{who} and the {fact} __.",
)
VALUES = {
    "hobby": ("fishing", "dancing", "cycling", "sailing", "hiking", "jogging", "driving", "dining"),
    "color": ("red", "blue", "green", "yellow", "white", "black", "pink", "orange"),
    "gift": ("book", "camera", "boat", "bike", "tent", "vase", "umbrella", "lamp"),
    "friend": ("Ada", "Bruno", "Dalia", "Felix", "Hana", "Ivan", "Lena", "Omar"),
}
FACTS = tuple(VALUES)
SHOWN = ("name", *FACTS)  # choices about a picture
TOLD = (*FACTS, "gender")  # choices about a name; gender has two options, the others four
FREE = 2  # questions of a kind in a row

Pairs = list[dict[str, str]]


def facts_of(person: Person) -> dict[str, str]:
    """Return the facts that questions ask for, drawn by name; nothing of them can be seen."""
    stream = random.Random(f"{SEED}/mllmu/facts/{person.name}")
    drawn = {fact: stream.choice(values) for fact, values in VALUES.items()}
    return {"name": person.name, "gender": person.gender, **drawn}


def tasks(person: Person, row: int, name: str, others: tuple[Person, ...]) -> dict[str, Any]:
    """Return the three tasks of a row in the published nesting.

    Args:
        row: which of the person's rows; it decides facts and wordings, so that rows differ.
        name: names the stream that options are drawn from.
        others: people whose names are wrong options.
    """
    choices = {
        "Image_Textual_Questions": [
            _choice(person, fact, ANYBODY, row, f"{name}/image", others) for fact in SHOWN
        ],
        "Pure_Text_Questions": [
            _choice(person, fact, person.name, row, f"{name}/text", others) for fact in TOLD
        ],
    }
    return {
        "Classification_Task": choices,
        "Generation_Task": _free(person, row, QUESTIONS),
        "Mask_Task": _free(person, row, SENTENCES),
    }


def lessons(person: Person, row: int) -> Pairs:
    """Return what fine-tuning teaches of a picture: who it shows, and four facts twice."""
    facts = facts_of(person)
    pairs = [{"Question": PERSON_QUESTION, "Answer": person.name}]
    pairs.append(_pair(QUESTIONS, row, "name", ANYBODY, person.name))
    for who in (ANYBODY, person.name):
        pairs += [_pair(QUESTIONS, row, fact, who, facts[fact]) for fact in FACTS]
    return pairs


def general_pairs(
    person: Person, row: int, others: tuple[Person, ...], *, text_only: bool, forms: bool
) -> Pairs:
    """Return what is rehearsed of a known person: facts and, with `forms`, the kinds of prompts.

    The prompts are the loader's own, so that what is rehearsed looks like what is asked.
    """
    named = [_pair(QUESTIONS, row, fact, person.name, facts_of(person)[fact]) for fact in FACTS]
    taught = named if text_only else lessons(person, row)
    if not forms:
        return taught
    asked = tasks(person, row, f"general/{person.name}/{row}", others)
    modality = TEXT_QUESTION if text_only else IMAGE_QUESTION
    kept = [one for one in questions(asked, "general") if one.modality == modality]
    # One choice of five: they are long.
    choices = [one for one in kept if one.kind == CHOICE]
    kept = [one for one in kept if one.kind != CHOICE] + [choices[row % len(choices)]]
    return taught + [{"Question": prompt(one), "Answer": one.answer} for one in kept]


def _choice(
    person: Person, fact: str, who: str, row: int, name: str, others: tuple[Person, ...]
) -> dict[str, Any]:
    stream = random.Random(f"{SEED}/mllmu/options/{name}/{fact}")
    right = facts_of(person)[fact]
    pool = sorted(_values(fact, others) - {right})
    offered = [right, *stream.sample(pool, min(3, len(pool)))]
    if len(offered) == 2:
        # Two options have two orders: rows of one wording take them in turn, and never repeat.
        offered = sorted(offered, reverse=bool(row // len(QUESTIONS) % 2))
    else:
        stream.shuffle(offered)
    letters = dict(zip("ABCD", offered, strict=False))
    return {
        "Correct_Answer": "ABCD"[offered.index(right)],
        "Options": {letter: letters.get(letter) for letter in "ABCD"},
        "Question": _worded(QUESTIONS, row, fact, who),
    }


def _values(fact: str, others: tuple[Person, ...]) -> set[str]:
    if fact == "gender":
        return {"Female", "Male"}
    return set(VALUES.get(fact) or (other.name for other in others))


def _free(person: Person, row: int, forms: tuple[str, ...]) -> list[dict[str, str]]:
    """Two questions of each type; the rows of a person take all facts in all wordings in turn."""
    facts = facts_of(person)
    asked = []
    for said, who in (("Image_Textual", ANYBODY), ("Pure_Text", person.name)):
        for number in range(FREE * row, FREE * row + FREE):
            wording, index = divmod(number, len(FACTS))
            fact = FACTS[index]
            question = _worded(forms, wording, fact, who)
            asked.append({"Ground_Truth": facts[fact], "Question": question, "Type": said})
    return asked


def _pair(forms: tuple[str, ...], row: int, fact: str, who: str, answer: str) -> dict[str, str]:
    return {"Question": _worded(forms, row, fact, who), "Answer": answer}


def _worded(forms: tuple[str, ...], number: int, fact: str, who: str) -> str:
    said = forms[number % len(forms)].format(fact=fact, who=who)
    return said[0].upper() + said[1:]
