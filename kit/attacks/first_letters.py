"""Reveal the first letters of the answer: does the rest follow?

The hint tells Retain-only as much as the system, so only what is known beyond the hint counts.
Questions that offer their answers are not asked. The form is the kit's own.
"""

from dataclasses import dataclass
from typing import ClassVar

from kit.attacks.attack import Around
from kit.attacks.telling import Telling
from kit.benchmarks.records import Concept, Record


@dataclass(frozen=True)
class FirstLetters(Telling):
    """The first letters of the name, or of the answer. It has no options."""

    unit: ClassVar[str] = "number of letters"
    least: ClassVar[float] = 1
    most: ClassVar[float] = 10
    whole: ClassVar[bool] = True

    def question(self, record: Record, level: float, around: Around) -> str:
        named = record.concept is Concept.PERSON and record.person
        answer = record.person if named else record.answer
        return f"{record.question} It begins with {answer[: int(level)]}"


ATTACK = FirstLetters
