"""Scalable remembering and unlearning unbound (SCRUB, arXiv 2302.09880).

    L = -beta E_f[mean_t D_t] + alpha E_r[mean_t D_t] + gamma E_r[M]

D_t is the divergence between the reference (the teacher) and the model (the student) at an
answer's token: the student leaves the teacher on D_f and follows it on D_r. The forget term is
unbounded. Its gradient is zero at the reference, so the last term alone moves the first step.

The paper alternates steps of ascent and of descent. The kit adds the terms, as CLEAR's code does
(arXiv 2410.18057, mm/trainer.py). The paper's D is KL(teacher || student), that of CLEAR's code
KL(student || teacher).
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from kit.methods import Needs, Step
from kit.methods.options import NOT_NEGATIVE, OneOf, require
from kit.model.batches import Batch
from kit.model.likelihood import mean_kl, mean_nll

PAPER, CLEAR = "teacher_student", "student_teacher"


@dataclass(frozen=True)
class SCRUB:
    """Leave the reference on D_f and follow it on D_r."""

    forget_weight: float = 1.0
    """Weight beta, >= 0, no unit. Default: CLEAR's loss_beta in config/mm/forget.yaml."""
    kl_weight: float = 1.0
    """Weight alpha of the divergence on D_r, >= 0, no unit. Default: CLEAR's mm/trainer.py."""
    retain_weight: float = 1.0
    """Weight gamma of the retain term, >= 0, no unit. Default: CLEAR's mm/trainer.py."""
    direction: str = PAPER
    """"teacher_student" or "student_teacher". Default: the paper's."""
    needs: ClassVar[Needs] = Needs(retain=True, reference_distribution=True)

    def __post_init__(self) -> None:
        require(self, forget_weight=NOT_NEGATIVE, kl_weight=NOT_NEGATIVE)
        require(self, retain_weight=NOT_NEGATIVE, direction=OneOf((PAPER, CLEAR)))

    def loss(self, step: Step) -> Tensor:
        forget = self._divergence(step, step.forget, step.forget_distribution())
        policy = step.retain_distribution()
        retain = self._divergence(step, step.retain, policy)
        step.log |= {"forget_kl": float(forget.detach()), "retain_kl": float(retain.detach())}
        nll = mean_nll(policy, step.retain).mean()
        return self.kl_weight * retain - self.forget_weight * forget + self.retain_weight * nll

    def _divergence(self, step: Step, batch: Batch, policy: Tensor) -> Tensor:
        teacher = step.reference(batch)
        pair = (teacher, policy) if self.direction == PAPER else (policy, teacher)
        return mean_kl(*pair, batch.answer_mask).mean()


METHOD = SCRUB
