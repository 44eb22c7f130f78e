"""Direct preference optimisation for unlearning (DPO): a refusal is preferred to the answer.

L = -(2/beta) E_f[log sigma(beta [log pi(a)/pi_0(a) - log pi(y)/pi_0(y)])] + alpha E_r[M]
for refusal a and answer y, log-probabilities summed. The factor 2/beta is open-unlearning's; the
original objective (arXiv 2305.18290, eq. 7) has none, which rescales it against the retain term.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import logsigmoid

from kit.methods import Needs, Step


@dataclass(frozen=True)
class DPO:
    """Prefer a refusal to the answer that is to be forgotten."""

    beta: float = 0.1
    retain_weight: float = 1.0
    needs: ClassVar[Needs] = Needs(retain=True, refusals=True, reference_scalars=True)

    def loss(self, step: Step) -> Tensor:
        chosen = step.refusal_logprob() - step.refusal_reference
        rejected = step.forget_logprob() - step.forget_reference
        forget = -logsigmoid(self.beta * (chosen - rejected)).mean() * 2 / self.beta
        return forget + self.retain_weight * step.retain_nll().mean()


METHOD = DPO
