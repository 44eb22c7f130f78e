"""Add Gaussian noise to every pixel, clamped to the range of a picture.

The noise of a record is drawn from the name of the attack and the record: it is the same for every
system. Open-MMunlearning's image rephrase has a standard deviation of 0.02.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from PIL import Image

from kit.attacks.attack import Around, Attack, Picture
from kit.benchmarks.records import Record
from kit.pictures.decoding import open_image

BYTE = 255


@dataclass(frozen=True)
class Noise(Attack):
    """Noise that has nothing to do with the answer. It has no options."""

    unit: ClassVar[str] = "standard deviation, as a share of the range of a pixel"
    least: ClassVar[float] = 0.0
    most: ClassVar[float] = 1.0

    def applies(self, record: Record, level: float, around: Around) -> bool:
        return record.image is not None

    def picture(self, record: Record, level: float, around: Around) -> Picture:
        assert record.image is not None, "`applies` says so"
        whole = np.asarray(open_image(record.image), dtype=np.float64)
        drawn = np.random.default_rng(around.seed(record.id)).normal(size=whole.shape)
        noisy = np.clip(np.rint(whole + level * BYTE * drawn), 0, BYTE)
        return Image.fromarray(noisy.astype(np.uint8))


ATTACK = Noise
