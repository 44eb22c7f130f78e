"""Boundary-aware optimisation (BAO, arXiv 2605.08800): keep other facts of the same subject.

    L = -gamma E_f[M] + alpha E_r[M] + lambda E_f[max(0, m - (M - M'))]

M' is the loss of a fact about the forget record's subject that is to be kept. The last term asks
for a margin between what is forgotten and what is kept of one subject; it is 0 where the margin is
reached. The paper's code (BAGD.py) compares all pairs of a subject within a batch. The kit gives
each forget record one fact, drawn for each epoch, so that the loss depends on no batch. A record
without such a fact counts as 0 in the last term.

In PEBench, the facts are of the images that Scope is measured on (the event of the same image, or
the person): Scope then says what was trained, and is not comparable with that of other methods.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from kit.methods import Needs, Step
from kit.methods.options import NOT_NEGATIVE, require


@dataclass(frozen=True)
class BAO:
    """Gradient difference with a margin between forgotten and kept facts of one subject."""

    margin: float = 1.0
    """m, >= 0, in nats per token. Default: boundary_margin of BAGD.py."""
    boundary_weight: float = 0.5
    """Weight lambda of the boundary, >= 0, no unit. Default: boundary_lambda of BAGD.py."""
    forget_weight: float = 1.0
    """Weight gamma of the ascent, >= 0, no unit. Default: BAGD.py."""
    retain_weight: float = 1.0
    """Weight alpha of the retain term, >= 0, no unit. Default: BAGD.py."""
    needs: ClassVar[Needs] = Needs(retain=True, subject_facts=True)

    def __post_init__(self) -> None:
        require(self, margin=NOT_NEGATIVE, boundary_weight=NOT_NEGATIVE)
        require(self, forget_weight=NOT_NEGATIVE, retain_weight=NOT_NEGATIVE)

    def loss(self, step: Step) -> Tensor:
        forget, fact = step.forget_nll(), step.subject_nll()
        short = (self.margin - (forget - fact)).clamp(min=0) * step.has_subject_fact
        step.log["boundary"] = float(short.detach().mean())
        difference = (
            self.retain_weight * step.retain_nll().mean() - self.forget_weight * forget.mean()
        )
        return difference + self.boundary_weight * short.mean()


METHOD = BAO
