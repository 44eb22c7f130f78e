"""KL minimisation (KL): L = -gamma E_f[M] + alpha E_r[mean_t KL(pi_0 || pi)].

The divergence is taken over answer positions only and averaged per token, so that it has the scale
of the forget term; published implementations that sum over image and padding positions do not.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from kit.methods import Needs, Step
from kit.model.likelihood import mean_kl


@dataclass(frozen=True)
class KLMin:
    """Ascend on D_f while staying where the vanilla model was on D_r."""

    forget_weight: float = 1.0
    retain_weight: float = 1.0
    needs: ClassVar[Needs] = Needs(retain=True, reference_distribution=True)

    def loss(self, step: Step) -> Tensor:
        forget = -step.forget_nll().mean()
        batch = step.retain
        assert batch is not None
        divergence = mean_kl(step.reference(batch), step.policy(batch), batch.answer_mask)
        step.log["retain_kl"] = float(divergence.detach().mean())
        return self.forget_weight * forget + self.retain_weight * divergence.mean()


METHOD = KLMin
