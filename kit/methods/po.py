"""Preference optimisation (PO; IDK in TOFU, arXiv 2401.06121).

L = E_f[M(refusal)] + alpha E_r[M].
"""

from dataclasses import dataclass

from torch import Tensor

from kit.methods import Needs, Step
from kit.methods.legacy import CLEAR, NONE, TOFU, batch_mean, refusals_of_tofu
from kit.methods.options import NOT_NEGATIVE, OneOf, require


@dataclass(frozen=True)
class PO:
    """Learn to refuse the questions of D_f; no loss is computed on their answers."""

    retain_weight: float = 1.0
    """Weight alpha of the retain term, >= 0, no unit. Default: TOFU's sum of both losses."""
    legacy: str = NONE
    """"none"; "tofu": one mean over the tokens of refusals and retain answers together; "clear":
    L = m_f + m_r, means over the tokens of the batch, which *learns* what is to be forgotten.
    CLEAR's mm/dataset.py hands over the answers in place of refusals. Both leave `retain_weight`
    out. Default: the formula above."""

    def __post_init__(self) -> None:
        require(self, retain_weight=NOT_NEGATIVE, legacy=OneOf((NONE, TOFU, CLEAR)))

    @property
    def needs(self) -> Needs:
        """Return what a step must contain."""
        return Needs(
            retain=True, refusals=self.legacy != CLEAR, whole_batch=self.legacy != NONE
        )  # fmt: skip

    def loss(self, step: Step) -> Tensor:
        if self.legacy == TOFU:
            return refusals_of_tofu(step)
        if self.legacy == CLEAR:
            forget = batch_mean(step.forget_nll(), step.forget)
            return forget + batch_mean(step.retain_nll(), step.retain)
        return step.refusal_nll().mean() + self.retain_weight * step.retain_nll().mean()


METHOD = PO
