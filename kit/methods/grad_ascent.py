"""Gradient ascent (GA): L = -E_f[M]. The loss has no lower bound: use the manifest's stop rule."""

from dataclasses import dataclass

from torch import Tensor

from kit.methods import Needs, Step
from kit.methods.legacy import NONE, OPEN_UNLEARNING, mean_of
from kit.methods.options import OneOf, require


@dataclass(frozen=True)
class GradAscent:
    """Make the answers of D_f less likely; nothing protects other answers."""

    legacy: str = NONE
    """"none", or "open-unlearning": a mean over the tokens of the batch in place of E_f[M], as its
    and TOFU's code take it from the model. Default: the formula above."""

    def __post_init__(self) -> None:
        require(self, legacy=OneOf((NONE, OPEN_UNLEARNING)))

    @property
    def needs(self) -> Needs:
        """Return what a step must contain."""
        return Needs(whole_batch=self.legacy != NONE)

    def loss(self, step: Step) -> Tensor:
        return -mean_of(step.forget_nll(), step.forget, self.legacy)


METHOD = GradAscent
