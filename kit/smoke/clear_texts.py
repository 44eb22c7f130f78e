"""Texts about the people of the embedded world: captions, and questions with answers.

Words are few and short, because a tiny base model has to learn them and answers are cut at 16
tokens.
"""

import random

from kit.smoke.people import ATTRIBUTES, Person

EVENT_WORDS = {
    "beach relaxing": "relaxing at the seaside",
    "snowshoeing": "snowshoeing on a trail",
    "night sky stargazing": "stargazing under magical skies",
    "concert attendance": "cheering at live music",
    "museum tour": "exploring historical exhibits",
    "car driving": "driving a countryside road",
    "gym workout": "exercising with equipment",
    "farm visit": "feeding animals",
    "airport waiting": "waiting for a flight",
    "fishing trip": "fishing on a lake",
}
HATS = {"cap": "a cap", "beret": "a beret", "top": "a top hat", "band": "a band"}
LOOKS = (*HATS.values(), *(f"{style} hair" for style in ("short", "long", "curly")), "no hair")
# Every question ends with the name: if its position varied, the model would have to learn that too.
# Two of the facts are also in captions, so that a method can forget them in text and keep them in
# pictures, or the reverse. The third is only in text, and takes the small base longest to learn.
WORDINGS = {
    "clothes": (
        "Which colour is worn by {}?",
        "What colour wears {}?",
        "What colour is on {}?",
        "Which colour have the clothes of {}?",
        "What are the clothes of {}?",
        "How are the clothes of {}?",
        "What is the colour of {}?",
        "Which is the colour of {}?",
        "Tell me the colour of {}.",
        "Tell me the clothes of {}.",
    ),
    "head": (
        "What is on the head of {}?",
        "What does one see on the head of {}?",
        "Which look has the head of {}?",
        "How is the head of {}?",
        "Which head has {}?",
        "What covers the head of {}?",
        "Which hat or hair has {}?",
        "Tell me the head of {}.",
        "Tell me the hat or hair of {}.",
    ),
    "job": (
        "What is the job of {}?",
        "Which job has {}?",
        "What work is done by {}?",
        "What is the work of {}?",
        "Which work has {}?",
        "Which profession has {}?",
        "What is the profession of {}?",
        "Tell me the job of {}.",
        "Tell me the profession of {}.",
    ),
}


def caption(person: Person, event_words: str) -> str:
    """Return the caption of a picture of a person at an event."""
    return _caption(person.name, person.face["clothes"], look(person), event_words)


def look(person: Person) -> str:
    """Return the words for a person's hat or hair."""
    hat, style = person.face["hat"], person.face["style"]
    return HATS.get(hat) or ("no hair" if style == "bald" else f"{style} hair")


def rewordings(person: Person, event: str, stream: random.Random) -> tuple[str, list[str]]:
    """Return a paraphrase of a caption, and three captions with one wrong fact each."""
    colour, head, words = person.face["clothes"], look(person), EVENT_WORDS[event]
    other_colour = stream.choice([c for c in ATTRIBUTES["clothes"] if c != colour])
    other_head = stream.choice([h for h in LOOKS if h != head])
    other_words = stream.choice([w for w in EVENT_WORDS.values() if w != words])
    return f"{person.name} with {head} in {colour} {words}", [
        _caption(person.name, other_colour, head, words),
        _caption(person.name, colour, other_head, words),
        _caption(person.name, colour, head, other_words),
    ]


def questions(person: Person) -> list[tuple[str, str]]:
    """Return (question, answer) pairs about a person, each fact in several wordings."""
    facts = {"clothes": person.face["clothes"], "head": look(person), "job": person.job}
    return [
        (wording.format(person.name), facts[fact])
        for fact, wordings in WORDINGS.items()
        for wording in wordings
    ]


def _caption(name: str, colour: str, head: str, event_words: str) -> str:
    return f"{name} in {colour} with {head} {event_words}"
