"""Gradient difference (GD): L = -gamma E_f[M] + alpha E_r[M], both terms in one step."""

from dataclasses import dataclass

from torch import Tensor

from kit.methods import Needs, Step
from kit.methods.legacy import NONE, OPEN_UNLEARNING, mean_of
from kit.methods.options import NOT_NEGATIVE, OneOf, require


@dataclass(frozen=True)
class GradDiff:
    """Ascend on D_f and descend on D_r."""

    forget_weight: float = 1.0
    """Weight gamma of the forget term, >= 0, no unit. Default: open-unlearning's
    configs/trainer/GradDiff.yaml."""
    retain_weight: float = 1.0
    """Weight alpha of the retain term, >= 0, no unit. Default: open-unlearning's GradDiff.yaml."""
    legacy: str = NONE
    """"none", or "open-unlearning": means over the tokens of the batch in place of E_f[M] and
    E_r[M], as its and TOFU's code take them from the model. Default: the formula above."""

    def __post_init__(self) -> None:
        require(self, forget_weight=NOT_NEGATIVE, retain_weight=NOT_NEGATIVE)
        require(self, legacy=OneOf((NONE, OPEN_UNLEARNING)))

    @property
    def needs(self) -> Needs:
        """Return what a step must contain."""
        return Needs(retain=True, whole_batch=self.legacy != NONE)

    def loss(self, step: Step) -> Tensor:
        forget = -mean_of(step.forget_nll(), step.forget, self.legacy)
        retain = mean_of(step.retain_nll(), step.retain, self.legacy)
        return self.forget_weight * forget + self.retain_weight * retain


METHOD = GradDiff
