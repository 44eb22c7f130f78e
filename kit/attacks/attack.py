"""What an attack is: it changes the question, the picture, or the weights that answer.

A file of this folder that ends with `ATTACK = <its class>` is an attack. The class is a frozen
dataclass: its fields are the options of `[[attack.entries]]`. It overrides what it changes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from PIL import Image

from kit.benchmarks.records import Benchmark, Concept, Record, Split
from kit.streams import seed_of

Picture = Path | Image.Image | None


def subject_of(record: Record) -> str:
    """Return the person that a record is about, or the event where it asks for one; "" if none."""
    return record.event if record.concept is Concept.EVENT else record.person


@dataclass(frozen=True)
class Around:
    """What an attacker has beside the record: the benchmark, and what is to be forgotten."""

    benchmark: Benchmark
    target: str
    entry: str
    """The manifest's name of the attack; it seeds what is drawn."""

    @property
    def split(self) -> Split:
        """Return the split of the target."""
        return self.benchmark.splits[self.target]

    def seed(self, *names: str | int) -> int:
        """Return a 31-bit seed that depends on the attack and on `names` alone."""
        return seed_of("attack", self.entry, *names)


@dataclass(frozen=True)
class Attack:
    """An attack that changes nothing; every attack extends it.

    `unit` says what a level counts. A level is from `least` to `most`, and a whole number where
    `whole` says so.
    """

    unit: ClassVar[str]
    least: ClassVar[float]
    most: ClassVar[float]
    whole: ClassVar[bool] = False

    def applies(self, record: Record, level: float, around: Around) -> bool:
        """Return whether a record can be asked under this attack; it depends on no system."""
        return True

    def question(self, record: Record, level: float, around: Around) -> str:
        """Return the question under attack."""
        return record.question

    def picture(self, record: Record, level: float, around: Around) -> Picture:
        """Return the picture under attack: a file, a picture, or None for no picture."""
        return record.image


@dataclass(frozen=True)
class Wordings(Attack):
    """An attack that words the question in another way; the level is the number of a wording.

    `wordings` maps a concept to its wordings; None holds those of all other concepts. In a wording,
    {question} is the question of the record. The wordings are the kit's own.
    """

    unit: ClassVar[str] = "number of the wording, from 1"
    least: ClassVar[float] = 1
    most: ClassVar[float] = 3
    whole: ClassVar[bool] = True
    wordings: ClassVar[dict[Concept | None, tuple[str, ...]]]

    def question(self, record: Record, level: float, around: Around) -> str:
        """Return the wording, with the question in its place."""
        known = self.wordings.get(record.concept) or self.wordings[None]
        return known[int(level) - 1].replace("{question}", record.question)
