"""Negative preference optimisation (NPO, arXiv 2404.05868).

L = -(2/beta) E_f[log sigma(-beta (log pi(y) - log pi_0(y)))] + alpha E_r[M], with log-probabilities
summed over the answer, one sigmoid a sample. As beta -> 0 its gradient is that of ascent on S; at
theta = theta_0 the forget term is (2/beta) log 2.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import logsigmoid

from kit.methods import Needs, Step


@dataclass(frozen=True)
class NPO:
    """Push the answer below the reference, ever more gently."""

    beta: float = 0.1
    retain_weight: float = 1.0
    needs: ClassVar[Needs] = Needs(retain=True, reference_scalars=True)

    def loss(self, step: Step) -> Tensor:
        log_ratio = step.forget_logprob() - step.forget_reference
        forget = -logsigmoid(-self.beta * log_ratio).mean() * 2 / self.beta
        return forget + self.retain_weight * step.retain_nll().mean()


METHOD = NPO
