"""Direct preference optimisation for unlearning (DPO): prefer a refusal to the answer.

L = -(2/beta) E_f[log sigma(beta [log pi(a)/pi_0(a) - log pi(y)/pi_0(y)])] + alpha E_r[M]
for refusal a and answer y, with log-probabilities summed over tokens. The original objective
(arXiv 2305.18290, eq. 7) has no factor 2/beta. It is open-unlearning's, and it changes the weight
of this term against the retain term.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import logsigmoid

from kit.methods import Needs, Step


@dataclass(frozen=True)
class DPO:
    """Prefer a refusal to the answer that must be forgotten."""

    beta: float = 0.1
    """Inverse temperature of the preference, > 0, per nat. Larger values stop sooner.
    Default: open-unlearning's configs/trainer/DPO.yaml."""
    retain_weight: float = 1.0
    """Weight alpha of the retain term, >= 0, no unit. Default: open-unlearning's DPO.yaml."""
    needs: ClassVar[Needs] = Needs(retain=True, refusals=True, reference_scalars=True)

    def loss(self, step: Step) -> Tensor:
        chosen = step.refusal_logprob() - step.refusal_reference
        rejected = step.forget_logprob() - step.forget_reference
        forget = -logsigmoid(self.beta * (chosen - rejected)).mean() * 2 / self.beta
        return forget + self.retain_weight * step.retain_nll().mean()


METHOD = DPO
