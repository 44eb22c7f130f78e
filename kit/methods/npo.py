"""Negative preference optimisation (NPO, arXiv 2404.05868).

L = -(2/beta) E_f[log sigma(-beta (log pi(y) - log pi_0(y)))] + alpha E_r[M], with log-probabilities
summed over the answer and one sigmoid per record. As beta -> 0 its gradient becomes that of ascent
on S; at theta = theta_0 the forget term is (2/beta) log 2.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import logsigmoid

from kit.methods import Needs, Step


@dataclass(frozen=True)
class NPO:
    """Make the answer less likely than under the reference, with a force that fades."""

    beta: float = 0.1
    """Inverse temperature, > 0, per nat. Larger values stop pushing an answer sooner.
    Default: open-unlearning's configs/trainer/NPO.yaml."""
    retain_weight: float = 1.0
    """Weight alpha of the retain term, >= 0, no unit. Default: open-unlearning's NPO.yaml."""
    needs: ClassVar[Needs] = Needs(retain=True, reference_scalars=True)

    def loss(self, step: Step) -> Tensor:
        log_ratio = step.forget_logprob() - step.forget_reference
        forget = -logsigmoid(-self.beta * log_ratio).mean() * 2 / self.beta
        return forget + self.retain_weight * step.retain_nll().mean()


METHOD = NPO
