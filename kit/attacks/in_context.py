"""Show examples in the question: questions about other people with their right answers.

arXiv 2605.26992 reactivates knowledge in context; its code is not published. The form is the kit's
own: each example is a question about a retained person (or event) with its answer, written before
the question itself. No example is about what is to be forgotten.
"""

from dataclasses import dataclass
from typing import ClassVar

from kit.attacks.attack import Around, Attack
from kit.attacks.kept import kept_like
from kit.benchmarks.records import Record
from kit.streams import shuffled


@dataclass(frozen=True)
class InContext(Attack):
    """Examples of kept people (or events), the same for every system. It has no options."""

    unit: ClassVar[str] = "number of examples"
    least: ClassVar[float] = 1
    most: ClassVar[float] = 16
    whole: ClassVar[bool] = True

    def question(self, record: Record, level: float, around: Around) -> str:
        kept = {each.id: each for each in kept_like(record, around)}
        drawn = shuffled(sorted(kept), "attack", around.entry, record.id)[: int(level)]
        shown = [f"{kept[n].question} {kept[n].answer}" for n in drawn]
        return " ".join([*shown, record.question])


ATTACK = InContext
