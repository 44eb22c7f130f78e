"""The curriculum of the base model: items of a question, its answer and sometimes an image.

About half of the items are about pictures: the person, the event, looks and objects. A third are
facts about familiar people, asked in MLLMU-Bench's forms, so that the model knows its option
letters, blanks and long sentences. In the rest the model repeats words, to be able to say every
word of fictitious names and descriptions, and refuses to name a person in pictures without one.
"""

import random
from collections.abc import Callable, Mapping
from typing import NamedTuple

from PIL import Image

from kit.benchmarks.left_out import OddRows
from kit.benchmarks.mllmu.protocol import CHOICE, CLOZE, GENERATION
from kit.benchmarks.mllmu.published import Question, questions
from kit.benchmarks.mllmu.questions import prompt
from kit.benchmarks.modalities import IMAGE_QUESTION, TEXT_QUESTION
from kit.benchmarks.pebench import (
    EVENT_QUESTION,
    EVENT_REWORDINGS,
    PERSON_QUESTION,
    PERSON_REWORDINGS,
    PRESENCE_QUESTION,
)
from kit.experiment.refusals import REFUSALS
from kit.smoke.clear_texts import EVENT_WORDS, HATS, LOOKS
from kit.smoke.drawing import paint
from kit.smoke.events import FAMILIAR, FICTITIOUS
from kit.smoke.glyphs import GLYPHS
from kit.smoke.mllmu_questions import FACTS, VALUES, lessons, tasks
from kit.smoke.people import FIRST, JOBS, LAST, READ_ABOUT, Person

LOOKS_QUESTION = "Describe this person."
OBJECTS_QUESTION = "Which objects are there?"
ROWS = 20  # per person: enough for all wordings of all facts

People = tuple[Person, ...]
Drawer = Callable[[random.Random, tuple[Person, ...]], "Item"]


class Item(NamedTuple):
    """An image or none, a question and its answer."""

    image: Image.Image | None
    question: str
    answer: str


def draw_item(rng: random.Random, familiar: People, weights: Mapping[str, int]) -> Item:
    """Return an item of a random kind, drawn with the given relative weights."""
    kind = rng.choices(tuple(weights), list(weights.values()))[0]
    return draw(kind, rng, familiar)


def draw(kind: str, rng: random.Random, familiar: People) -> Item:
    """Return an item of the given kind."""
    return KINDS[kind](rng, familiar)


def lexicon() -> list[str]:
    """Return every word that occurs in an answer of the small experiments, sorted."""
    texts = [*FIRST, *LAST, *(event.description for event in FAMILIAR + FICTITIOUS), *REFUSALS]
    texts += [*JOBS, *EVENT_WORDS.values(), *HATS.values(), *LOOKS, "in with"]
    texts += [value for values in VALUES.values() for value in values]
    return sorted({word for text in texts for word in text.split()})


def _repeat(rng: random.Random, familiar: People) -> Item:
    words = " ".join(rng.sample(lexicon(), rng.randint(2, 6)))
    return Item(None, f"Repeat: {words}", words)


def _nobody(rng: random.Random, familiar: People) -> Item:
    return Item(paint(None, rng.choice(FAMILIAR), rng), PERSON_QUESTION, rng.choice(REFUSALS))


def _person(rng: random.Random, familiar: People) -> Item:
    person = rng.choice(familiar)
    return Item(paint(person, rng.choice(FAMILIAR), rng), PERSON_QUESTION, person.name)


def _event(rng: random.Random, familiar: People) -> Item:
    event = rng.choice(FAMILIAR)
    return Item(paint(rng.choice(familiar), event, rng), EVENT_QUESTION, event.description)


def _reworded(draw_plain: Drawer, questions: tuple[str, ...]) -> Drawer:
    """Return a function that draws an item and asks for it in other words."""

    def draw_reworded(rng: random.Random, familiar: People) -> Item:
        return draw_plain(rng, familiar)._replace(question=rng.choice(questions))

    return draw_reworded


def _looks(rng: random.Random, familiar: People) -> Item:
    person = rng.choice(familiar)
    image = paint(person, rng.choice(FAMILIAR), rng)
    return Item(image, LOOKS_QUESTION, " ".join(person.face.values()))


def _objects(rng: random.Random, familiar: People) -> Item:
    event = rng.choice(FAMILIAR)
    return Item(paint(rng.choice(familiar), event, rng), OBJECTS_QUESTION, " ".join(event.objects))


def _presence(rng: random.Random, familiar: People) -> Item:
    event = rng.choice(FAMILIAR)
    image = paint(rng.choice(familiar), event, rng)
    thing = rng.choice(event.objects if rng.random() < 0.5 else list(GLYPHS))
    answer = "yes" if thing in event.objects else "no"
    return Item(image, PRESENCE_QUESTION.format(object=thing), answer)


def _letter(rng: random.Random, familiar: People) -> Item:
    """Return a multiple-choice item whose question contains the answer; only the letter is open."""
    word, *others = rng.sample(VALUES[rng.choice(FACTS)], 4)
    offered = rng.sample([word, *others], 4)
    options = tuple(zip("ABCD", offered, strict=True))
    letter = "ABCD"[offered.index(word)]
    asked = Question(CHOICE, TEXT_QUESTION, f"Repeat: {word}", letter, options)
    return Item(None, prompt(asked), letter)


def _fact(rng: random.Random, familiar: People) -> Item:
    """Return a plain question about a fact of a person who is shown or named."""
    person, row = rng.choice(familiar[:READ_ABOUT]), rng.randrange(ROWS)
    pair = rng.choice(lessons(person, row))
    shown = person.name not in pair["Question"]
    image = paint(person, rng.choice(FAMILIAR), rng) if shown else None
    return Item(image, pair["Question"], pair["Answer"])


def _exam(kind: str) -> Drawer:
    """Return a function that draws a fact of a person in one of MLLMU-Bench's forms."""

    def draw_fact(rng: random.Random, familiar: People) -> Item:
        known = familiar[:READ_ABOUT]
        person, row = rng.choice(known), rng.randrange(ROWS)
        asked = tasks(person, row, f"curriculum/{rng.random()}", known)
        made = questions(asked, "curriculum", "", OddRows())
        one = rng.choice([one for one in made if one.kind == kind])
        shown = one.modality == IMAGE_QUESTION
        image = paint(person, rng.choice(FAMILIAR), rng) if shown else None
        return Item(image, prompt(one), one.answer)

    return draw_fact


KINDS: dict[str, Drawer] = {
    "repeat": _repeat,
    "nobody": _nobody,
    "person": _person,
    "event": _event,
    "looks": _looks,
    "objects": _objects,
    "presence": _presence,
    "letter": _letter,
    "fact": _fact,
    GENERATION: _exam(GENERATION),
    CLOZE: _exam(CLOZE),
    CHOICE: _exam(CHOICE),
    "person reworded": _reworded(_person, PERSON_REWORDINGS),
    "event reworded": _reworded(_event, EVENT_REWORDINGS),
    "nobody reworded": _reworded(_nobody, PERSON_REWORDINGS),
}
# Relative weights of the kinds, in the order of training. Copying words from the question is learnt
# quickly on its own and hardly at all among the other kinds, so it comes first. Multiple choice
# needs known facts to look for among the options, so it comes late. Other words for the questions
# about people and events are the last course.
WORDS = {"repeat": 6, "letter": 8}
WORLD = {
    "repeat": 6, "nobody": 3, "person": 41, "event": 12, "looks": 21, "objects": 5, "presence": 12,
    "letter": 8, "fact": 12, GENERATION: 6, CLOZE: 8, CHOICE: 16,
}  # fmt: skip
CHOICES = {**WORLD, "fact": 20, CHOICE: 60}
REWORDED = {**CHOICES, "person reworded": 60, "event reworded": 25, "nobody reworded": 3}
