"""Large language model unlearning (LLMU, arXiv 2310.10683): ascent, random answers, and KL.

    L = -e1 E_f[M] + e2 E_f[mean_k M(r_k)] + e3 E_r[mean_t KL(pi_0 || pi)]

r_1 ... r_K are answers that have nothing to do with the question. The paper's code draws them from
another data set, once for a whole batch. The kit draws answers of retain records to any question,
for each record and epoch. The first term has no lower bound: use the manifest's stop rule.

The paper's code (unlearn_harm.py, utils.py) has a cross-entropy in place of the divergence. Its
gradient is the same, because the reference is fixed. It stops where the first term reaches 100.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from kit.methods import Needs, Step
from kit.methods.options import COUNT, NOT_NEGATIVE, require
from kit.model.likelihood import mean_kl


@dataclass(frozen=True)
class LLMU:
    """Ascend on D_f, learn random answers there, and stay near the reference on D_r."""

    forget_weight: float = 0.5
    """Weight e1 of the ascent, >= 0, no unit. Default: unlearn_harm.py."""
    random_weight: float = 1.0
    """Weight e2 of the random answers, >= 0, no unit. Default: unlearn_harm.py."""
    kl_weight: float = 1.0
    """Weight e3 of the divergence, >= 0, no unit. Default: unlearn_harm.py."""
    answers: int = 1
    """K, random answers for each forget record, >= 1. Each costs a forward and a backward pass.
    Default: the kit's choice; unlearn_harm.py has 5."""
    needs: ClassVar[Needs] = Needs(retain=True, reference_distribution=True, random_answers=True)

    def __post_init__(self) -> None:
        require(self, forget_weight=NOT_NEGATIVE, random_weight=NOT_NEGATIVE)
        require(self, kl_weight=NOT_NEGATIVE, answers=COUNT)

    def loss(self, step: Step) -> Tensor:
        forget = -step.forget_nll().mean()
        random = step.random_nll().mean()
        policy, batch = step.retain_distribution(), step.retain
        divergence = mean_kl(step.reference(batch), policy, batch.answer_mask).mean()
        step.log["retain_kl"] = float(divergence.detach())
        return (
            self.forget_weight * forget + self.random_weight * random + self.kl_weight * divergence
        )


METHOD = LLMU
