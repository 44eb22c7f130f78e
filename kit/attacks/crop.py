"""Show only the middle of the picture, enlarged to its old size.

Open-MMunlearning's image rephrase crops to 0.9; the levels here are free.
"""

from dataclasses import dataclass
from typing import ClassVar

from PIL import Image

from kit.attacks.attack import Around, Attack, Picture
from kit.benchmarks.records import Record
from kit.pictures.decoding import open_image


@dataclass(frozen=True)
class Crop(Attack):
    """Keeps a share of each side. It has no options."""

    unit: ClassVar[str] = "share of each side that is left"
    least: ClassVar[float] = 0.1
    most: ClassVar[float] = 1.0

    def applies(self, record: Record, level: float, around: Around) -> bool:
        return record.image is not None

    def picture(self, record: Record, level: float, around: Around) -> Picture:
        assert record.image is not None, "`applies` says so"
        whole = open_image(record.image)
        left, top = (side * (1 - level) / 2 for side in whole.size)
        box = (left, top, whole.width - left, whole.height - top)
        return whole.resize(whole.size, Image.Resampling.BICUBIC, box)


ATTACK = Crop
