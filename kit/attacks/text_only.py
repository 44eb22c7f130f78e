"""Ask without a picture: what does the model answer from the question alone?"""

from dataclasses import dataclass
from typing import ClassVar

from kit.attacks.attack import Around, Attack, Picture
from kit.benchmarks.records import Record


@dataclass(frozen=True)
class TextOnly(Attack):
    """Leaves the picture out. It has no options, and one level."""

    unit: ClassVar[str] = "always 1"
    least: ClassVar[float] = 1
    most: ClassVar[float] = 1
    whole: ClassVar[bool] = True

    def applies(self, record: Record, level: float, around: Around) -> bool:
        return record.image is not None

    def picture(self, record: Record, level: float, around: Around) -> Picture:
        return None


ATTACK = TextOnly
