"""Optimise the pixels so that the forgotten answer becomes likely: PGD, or one pattern for all.

d <- clamp(d - a sign(grad_d M), -e, e), and the picture x + d is clamped to the range of a pixel.
M is the mean loss of the right answer per token (projected gradient descent, arXiv 1706.06083). d
starts at a drawn point, the same for every system. With `universal`, one d is added to all
pictures, as in SUA (arXiv 2506.17265). Its released code optimises on the right answers as well,
in 500 to 1,000 steps, but clamps no pixel and draws no seed. Either attack teaches the answer to a
model that never knew it: only what it does beyond Retain-only counts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from kit.attacks.pixels import PixelAttack
from kit.experiment.options import POSITIVE, require

BYTE = 255


@dataclass(frozen=True)
class Pgd(PixelAttack):
    """Projected gradient descent on the loss of the right answer."""

    unit: ClassVar[str] = "largest change of a pixel, of 255"
    least: ClassVar[float] = 1
    most: ClassVar[float] = 64
    whole: ClassVar[bool] = True

    step_size: float = 1.0
    """Change of a pixel in a step, > 0, of 255. Default: SUA's code."""

    def __post_init__(self) -> None:
        """Check the options."""
        super().__post_init__()
        require(self, step_size=POSITIVE)

    @property
    def reach(self) -> float:
        """Return by how much all steps together change a pixel that begins unchanged, of 255."""
        return self.steps * self.step_size

    def optimise(
        self, pictures: Tensor, first: Tensor, gradient: Callable[[Tensor], Tensor], level: float
    ) -> Tensor:
        change, most = first, level / BYTE
        for _ in range(self.steps):
            found = gradient((pictures + change).clamp(0, 1))
            if self.universal:
                found = found.sum(dim=0, keepdim=True)
            change = (change - self.step_size / BYTE * found.sign()).clamp(-most, most)
        return (pictures + change).clamp(0, 1)


ATTACK = Pgd
