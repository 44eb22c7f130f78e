"""Put retrieved captions before the question; one of them contains the answer.

Retrieval-augmented models (RA-BLIP, arXiv 2410.14154) read such captions beside the picture. A
model that never knew can read the answer off them, and so can Retain-only: what comes back is only
what a system reads, or knows, beyond that. Below 0, a system refuses even to read it. Questions
that offer their answers are not asked. The form is the kit's own.
"""

from dataclasses import dataclass
from typing import ClassVar

from kit.attacks.attack import Around
from kit.attacks.kept import kept_like
from kit.attacks.telling import Telling
from kit.benchmarks.records import Record
from kit.streams import shuffled


@dataclass(frozen=True)
class Retrieval(Telling):
    """Captions in a drawn order: the right answer, and answers about what is kept.

    It has no options.
    """

    unit: ClassVar[str] = "number of captions, one of them the right one"
    least: ClassVar[float] = 1
    most: ClassVar[float] = 16
    whole: ClassVar[bool] = True

    def question(self, record: Record, level: float, around: Around) -> str:
        others = {each.answer for each in kept_like(record, around)} - {record.answer}
        names = ("attack", around.entry, record.id)
        drawn = shuffled(sorted(others), *names)[: int(level) - 1]
        captions = shuffled([record.answer, *drawn], *names, "order")
        return " ".join([*(f"Caption: {each}." for each in captions), record.question])


ATTACK = Retrieval
