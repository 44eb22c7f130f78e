"""Blur the picture with a Gaussian.

Open-MMunlearning's image rephrase blurs by a radius in pixels; here the radius is a share of the
shorter side, so that a level means the same for every size.
"""

from dataclasses import dataclass
from typing import ClassVar

from PIL import ImageFilter

from kit.attacks.attack import Around, Attack, Picture
from kit.benchmarks.records import Record
from kit.pictures.decoding import open_image


@dataclass(frozen=True)
class Blur(Attack):
    """Removes detail. It has no options."""

    unit: ClassVar[str] = "standard deviation, as a share of the shorter side"
    least: ClassVar[float] = 0.0
    most: ClassVar[float] = 0.5

    def applies(self, record: Record, level: float, around: Around) -> bool:
        return record.image is not None

    def picture(self, record: Record, level: float, around: Around) -> Picture:
        assert record.image is not None, "`applies` says so"
        whole = open_image(record.image)
        return whole.filter(ImageFilter.GaussianBlur(level * min(whole.size)))


ATTACK = Blur
