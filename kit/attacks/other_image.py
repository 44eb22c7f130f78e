"""Ask about another picture of the same person (or event), one not used in unlearning.

PPU-Bench (arXiv 2605.08800) asks in the same way about three further sets of pictures.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from kit.attacks.attack import Around, Attack, Picture
from kit.benchmarks.records import Concept, Record
from kit.streams import shuffled


@dataclass(frozen=True)
class OtherImage(Attack):
    """Another picture of the same subject. It has no options."""

    unit: ClassVar[str] = "number of the picture, from 1, in a drawn order"
    least: ClassVar[float] = 1
    most: ClassVar[float] = 20
    whole: ClassVar[bool] = True

    def applies(self, record: Record, level: float, around: Around) -> bool:
        return record.image is not None and len(_others(record, around)) >= level

    def picture(self, record: Record, level: float, around: Around) -> Picture:
        drawn = shuffled(_others(record, around), "attack", around.entry, record.id)
        return drawn[int(level) - 1]


def _others(record: Record, around: Around) -> list[Path]:
    """Return the pictures of the record's subject that unlearning is not given, sorted."""
    records = around.benchmark.records
    known = {records[name].image for name in around.split.forget} | {record.image}
    named = "event" if record.concept is Concept.EVENT else "person"
    subject = getattr(record, named)
    same = (each for each in records.values() if subject and getattr(each, named) == subject)
    return sorted({each.image for each in same if each.image is not None} - known)


ATTACK = OtherImage
