"""What the base model is taught: items of an image or none, a question and its answer.

Half of it is sight: who is in a picture, at which event, what a person looks like, which objects
are there. A third is what a model of this kind has read: facts about people whom it knows, asked
in MLLMU-Bench's forms, so that its letters, blanks and long endings are nothing new to it. The
rest is words to repeat, so that it can say every word of the fictitious names and descriptions,
and pictures of nobody, of which it says that it does not know.
"""

import random
from collections.abc import Callable, Mapping
from typing import NamedTuple

from PIL import Image

from kit.benchmarks.mllmu.profiles import Question, questions
from kit.benchmarks.mllmu.protocol import CHOICE, CLOZE, GENERATION, IMAGE_QUESTION, TEXT_QUESTION
from kit.benchmarks.mllmu.questions import prompt
from kit.benchmarks.pebench import EVENT_QUESTION, PERSON_QUESTION, PRESENCE_QUESTION
from kit.experiment.refusals import REFUSALS
from kit.smoke.clear_texts import EVENT_WORDS, HATS, LOOKS
from kit.smoke.drawing import paint
from kit.smoke.events import FAMILIAR, FICTITIOUS
from kit.smoke.glyphs import GLYPHS
from kit.smoke.mllmu_questions import FACTS, VALUES, lessons, tasks
from kit.smoke.people import FIRST, JOBS, LAST, READ_ABOUT, Person

LOOKS_QUESTION = "Describe this person."
OBJECTS_QUESTION = "Which objects are there?"
ROWS = 20  # of a person: with them, all wordings and facts are asked

People = tuple[Person, ...]
Drawer = Callable[[random.Random, tuple[Person, ...]], "Item"]


class Item(NamedTuple):
    """What is shown, asked and answered."""

    image: Image.Image | None
    question: str
    answer: str


def draw_item(rng: random.Random, familiar: People, weights: Mapping[str, int]) -> Item:
    """Return an item of one of the kinds, each drawn as often as its weight says."""
    kind = rng.choices(tuple(weights), list(weights.values()))[0]
    return draw(kind, rng, familiar)


def draw(kind: str, rng: random.Random, familiar: People) -> Item:
    """Return an item of the given kind."""
    return KINDS[kind](rng, familiar)


def lexicon() -> list[str]:
    """Return every word that an answer of the small experiments can have, sorted."""
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
    """Which option is it? The question says the answer: only the letter is to be found."""
    word, *others = rng.sample(VALUES[rng.choice(FACTS)], 4)
    offered = rng.sample([word, *others], 4)
    options = tuple(zip("ABCD", offered, strict=True))
    letter = "ABCD"[offered.index(word)]
    asked = Question(CHOICE, TEXT_QUESTION, f"Repeat: {word}", letter, options)
    return Item(None, prompt(asked), letter)


def _fact(rng: random.Random, familiar: People) -> Item:
    """A fact about a person, who is shown or named, in a plain question."""
    person, row = rng.choice(familiar[:READ_ABOUT]), rng.randrange(ROWS)
    pair = rng.choice(lessons(person, row))
    shown = person.name not in pair["Question"]
    image = paint(person, rng.choice(FAMILIAR), rng) if shown else None
    return Item(image, pair["Question"], pair["Answer"])


def _exam(kind: str) -> Drawer:
    """A fact about a person as MLLMU-Bench asks for it."""

    def drawn(rng: random.Random, familiar: People) -> Item:
        known = familiar[:READ_ABOUT]
        person, row = rng.choice(known), rng.randrange(ROWS)
        asked = tasks(person, row, f"curriculum/{rng.random()}", known)
        one = rng.choice([one for one in questions(asked, "curriculum") if one.kind == kind])
        shown = one.modality == IMAGE_QUESTION
        image = paint(person, rng.choice(FAMILIAR), rng) if shown else None
        return Item(image, prompt(one), one.answer)

    return drawn


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
}
# How often each kind is drawn. To find in the question what is to be said is hardly learnt among
# all the others, and soon by itself; what a choice adds, to find among the options what is known
# of a person, only once it is known.
WORDS = {"repeat": 6, "letter": 8}
WORLD = {
    "repeat": 6, "nobody": 3, "person": 41, "event": 12, "looks": 21, "objects": 5, "presence": 12,
    "letter": 8, "fact": 12, GENERATION: 6, CLOZE: 8, CHOICE: 16,
}  # fmt: skip
CHOICES = {**WORLD, "fact": 20, CHOICE: 60}
