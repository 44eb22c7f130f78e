"""Direct preference optimisation for unlearning (DPO): prefer a refusal to the answer.

L = -(2/beta) E_f[log sigma(beta [log pi(a)/pi_0(a) - log pi(y)/pi_0(y)])] + alpha E_r[M]
for refusal a and answer y, with log-probabilities summed over tokens. The original objective
(arXiv 2305.18290, eq. 7) has no factor 2/beta. It is open-unlearning's, and it changes the weight
of this term against the retain term.
"""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from kit.methods import Needs, Step
from kit.methods.legacy import CLEAR, NONE, OPEN_UNLEARNING, mean_of
from kit.methods.options import NOT_NEGATIVE, POSITIVE, OneOf, require


def preference(chosen: Tensor, rejected: Tensor, beta: float) -> Tensor:
    """Return the loss of preferring one answer of each record to another, in nats, [].

    Args:
        chosen, rejected: log pi(y) - log pi_0(y) of the two answers, in nats, [B] each.
        beta: inverse temperature, per nat.
    """
    return -logsigmoid(beta * (chosen - rejected)).mean() * 2 / beta


@dataclass(frozen=True)
class DPO:
    """Prefer a refusal to the answer that must be forgotten."""

    beta: float = 0.1
    """Inverse temperature of the preference, > 0, per nat. Larger values stop sooner.
    Default: open-unlearning's configs/trainer/DPO.yaml."""
    retain_weight: float = 1.0
    """Weight alpha of the retain term, >= 0, no unit; at 0 no retain record is computed.
    Default: open-unlearning's DPO.yaml."""
    legacy: str = NONE
    """"none"; "open-unlearning": a mean over the batch's tokens in place of E_r[M]; "clear":
    L = E_f[S], which *learns* what is to be forgotten. CLEAR's mm/trainer.py overwrites the loss by
    the one on refusals, and its mm/dataset.py hands over the answers for these. Default: as above.
    """

    def __post_init__(self) -> None:
        require(self, beta=POSITIVE, retain_weight=NOT_NEGATIVE)
        require(self, legacy=OneOf((NONE, OPEN_UNLEARNING, CLEAR)))

    @property
    def needs(self) -> Needs:
        """Return what a step must contain."""
        whole = self.legacy != NONE
        usual = Needs(
            retain=self.retain_weight > 0, refusals=True, reference_scalars=True, whole_batch=whole
        )
        return Needs() if self.legacy == CLEAR else usual

    def loss(self, step: Step) -> Tensor:
        if self.legacy == CLEAR:
            return -step.forget_logprob().mean()
        chosen = step.refusal_logprob() - step.refusal_reference
        rejected = step.forget_logprob() - step.forget_reference
        forget = preference(chosen, rejected, self.beta)
        if not self.retain_weight:
            return forget
        return forget + self.retain_weight * mean_of(step.retain_nll(), step.retain, self.legacy)


METHOD = DPO
