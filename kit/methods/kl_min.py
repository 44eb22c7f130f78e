"""KL minimisation (KL): L = -gamma E_f[M] + alpha E_r[mean_t KL(pi_0 || pi)].

The divergence is a mean over answer tokens, so it has the scale of the forget term. Published
implementations that sum over image and padding positions do not have it: MLLMU-Bench's KL_Min.py
(arXiv 2410.22108) divides by the batch size alone.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from kit.methods import Needs, Step
from kit.methods.options import NOT_NEGATIVE, require
from kit.model.likelihood import mean_kl


@dataclass(frozen=True)
class KLMin:
    """Ascend on D_f and keep the vanilla model's distribution on D_r."""

    forget_weight: float = 1.0
    """Weight gamma of the forget term, >= 0, no unit. Default: the kit's choice, equal weights."""
    retain_weight: float = 1.0
    """Weight alpha of the divergence, >= 0, no unit. Default: as for `forget_weight`."""
    needs: ClassVar[Needs] = Needs(retain=True, reference_distribution=True)

    def __post_init__(self) -> None:
        require(self, forget_weight=NOT_NEGATIVE, retain_weight=NOT_NEGATIVE)

    def loss(self, step: Step) -> Tensor:
        forget = -step.forget_nll().mean()
        batch = step.retain
        divergence = mean_kl(step.reference(batch), step.policy(batch), batch.answer_mask)
        step.log["retain_kl"] = float(divergence.detach().mean())
        return self.forget_weight * forget + self.retain_weight * divergence.mean()


METHOD = KLMin
