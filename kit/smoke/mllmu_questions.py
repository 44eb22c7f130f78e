"""Questions and training pairs of the embedded MLLMU-Bench: facts of a person in short words.

The base model is tiny, so all forms of question share their words, and answers are bare values. As
in the real experiment, the base model knows the forms, option letters included, from people of its
pretraining (kit/smoke/curriculum.py). Fine-tuning adds only new people, in plain questions: LoRA
cannot teach so small a model new forms or words. Each form has five wordings, so that the same fact
can be asked in different words.
"""

import random
from typing import Any

from kit.benchmarks.left_out import OddRows
from kit.benchmarks.mllmu.protocol import CHOICE
from kit.benchmarks.mllmu.published import questions
from kit.benchmarks.mllmu.questions import prompt
from kit.benchmarks.modalities import IMAGE_QUESTION, TEXT_QUESTION
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
IMAGE_FACTS = ("name", *FACTS)  # in multiple-choice questions with a picture
TEXT_FACTS = (*FACTS, "gender")  # in those with a name; gender has two options, the others four
FREE_QUESTIONS = 2  # per type and row

Pairs = list[dict[str, str]]


def facts_of(person: Person) -> dict[str, str]:
    """Return the facts that questions ask for, drawn by name; no picture shows any of them."""
    stream = random.Random(f"{SEED}/mllmu/facts/{person.name}")
    drawn = {fact: stream.choice(values) for fact, values in VALUES.items()}
    return {"name": person.name, "gender": person.gender, **drawn}


def tasks(person: Person, row: int, name: str, others: tuple[Person, ...]) -> dict[str, Any]:
    """Return the three tasks of a row in the published nesting.

    Args:
        person: the subject.
        row: number of the person's row; it decides facts and wordings, so that rows differ.
        name: of the random stream for the options.
        others: people whose names are wrong options.
    """
    choices = {
        "Image_Textual_Questions": [
            _choice(person, fact, ANYBODY, row, f"{name}/image", others) for fact in IMAGE_FACTS
        ],
        "Pure_Text_Questions": [
            _choice(person, fact, person.name, row, f"{name}/text", others) for fact in TEXT_FACTS
        ],
    }
    return {
        "Classification_Task": choices,
        "Generation_Task": _free(person, row, QUESTIONS),
        "Mask_Task": _free(person, row, SENTENCES),
    }


def lessons(person: Person, row: int) -> Pairs:
    """Return the training pairs of a picture: the person twice, and each of four facts twice."""
    facts = facts_of(person)
    pairs = [{"Question": PERSON_QUESTION, "Answer": person.name}]
    pairs.append(_pair(QUESTIONS, row, "name", ANYBODY, person.name))
    for who in (ANYBODY, person.name):
        pairs += [_pair(QUESTIONS, row, fact, who, facts[fact]) for fact in FACTS]
    return pairs


def general_pairs(
    person: Person, row: int, others: tuple[Person, ...], *, text_only: bool, forms: bool
) -> Pairs:
    """Return the rehearsal pairs of a familiar person: facts and, with `forms`, all prompt forms.

    The loader makes the prompts, so that rehearsal uses the same prompts as evaluation.
    """
    named = [_pair(QUESTIONS, row, fact, person.name, facts_of(person)[fact]) for fact in FACTS]
    taught = named if text_only else lessons(person, row)
    if not forms:
        return taught
    asked = tasks(person, row, f"general/{person.name}/{row}", others)
    modality = TEXT_QUESTION if text_only else IMAGE_QUESTION
    kept = [one for one in questions(asked, "general", "", OddRows()) if one.modality == modality]
    # Keep one of the five multiple-choice questions: they are long.
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
        # Two options have two orders: rows with the same wording alternate between them.
        offered = sorted(offered, reverse=bool(row // len(QUESTIONS) % 2))
    else:
        stream.shuffle(offered)
    letters = dict(zip("ABCD", offered, strict=False))
    return {
        "Correct_Answer": "ABCD"[offered.index(right)],
        "Options": {letter: letters.get(letter) for letter in "ABCD"},
        "Question": _word_question(QUESTIONS, row, fact, who),
    }


def _values(fact: str, others: tuple[Person, ...]) -> set[str]:
    if fact == "gender":
        return {"Female", "Male"}
    return set(VALUES.get(fact) or (other.name for other in others))


def _free(person: Person, row: int, forms: tuple[str, ...]) -> list[dict[str, str]]:
    """Return two questions of each type; a person's rows cycle through all facts and wordings."""
    facts = facts_of(person)
    asked = []
    for kind, who in (("Image_Textual", ANYBODY), ("Pure_Text", person.name)):
        for number in range(FREE_QUESTIONS * row, FREE_QUESTIONS * (row + 1)):
            wording, index = divmod(number, len(FACTS))
            fact = FACTS[index]
            question = _word_question(forms, wording, fact, who)
            asked.append({"Ground_Truth": facts[fact], "Question": question, "Type": kind})
    return asked


def _pair(forms: tuple[str, ...], row: int, fact: str, who: str, answer: str) -> dict[str, str]:
    return {"Question": _word_question(forms, row, fact, who), "Answer": answer}


def _word_question(forms: tuple[str, ...], number: int, fact: str, who: str) -> str:
    text = forms[number % len(forms)].format(fact=fact, who=who)
    return text[0].upper() + text[1:]
