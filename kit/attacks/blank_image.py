"""Show a grey picture of the same size: what does the model answer without seeing anything?"""

from dataclasses import dataclass
from typing import ClassVar

from PIL import Image

from kit.attacks.attack import Around, Attack, Picture
from kit.benchmarks.records import Record
from kit.pictures.decoding import open_image

BYTE = 255


@dataclass(frozen=True)
class BlankImage(Attack):
    """One colour instead of a picture. It has no options."""

    unit: ClassVar[str] = "brightness, from black (0) to white (1)"
    least: ClassVar[float] = 0.0
    most: ClassVar[float] = 1.0

    def applies(self, record: Record, level: float, around: Around) -> bool:
        return record.image is not None

    def picture(self, record: Record, level: float, around: Around) -> Picture:
        assert record.image is not None, "`applies` says so"
        grey = round(level * BYTE)
        return Image.new("RGB", open_image(record.image).size, (grey, grey, grey))


ATTACK = BlankImage
