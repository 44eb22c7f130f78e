"""Single image unlearning (SIU, arXiv 2405.12523): one image per concept, dual-masked KL and CE.

    L = E_f[M(refusal)] + lambda (E_f[KL'(pi_0 || pi)] + E_r[KL'(pi_0 || pi)])

The paper's abstract describes data with a new answer for the concept, and a KL divergence to the
reference that masks (i) tokens that contradict the old knowledge and (ii) the concept's name in the
vocabulary. The body of the paper was not available: the rest is the kit's own protocol. The new
answer is a refusal. Its first token, which decides to refuse, is masked. The vocabulary mask
removes all tokens of the forgotten names (of an event's keywords) and renormalises both
distributions. The same KL' on D_r keeps other knowledge.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import log_softmax

from kit.methods import Needs, Step
from kit.methods.options import NOT_NEGATIVE, require
from kit.model.batches import Batch
from kit.model.likelihood import mean_kl, mean_nll

MASKED = -1e4  # finite, so that 0 * log 0 of a masked token is 0 and not NaN


@dataclass(frozen=True)
class SIU:
    """Refuse one image of each concept; stay near the reference everywhere else."""

    kl_weight: float = 1.0
    """Weight lambda of both divergences, >= 0, no unit. Default: the kit's choice."""
    needs: ClassVar[Needs] = Needs(
        retain=True, refusals=True, reference_distribution=True, single_image=True
    )

    def __post_init__(self) -> None:
        require(self, kl_weight=NOT_NEGATIVE)

    def loss(self, step: Step) -> Tensor:
        refused = step.policy(step.refusal)
        later = step.refusal.answer_mask * (step.refusal.answer_mask.cumsum(dim=1) > 1)
        kept = self._masked_kl(step, step.retain, step.policy(step.retain), step.retain.answer_mask)
        divergence = self._masked_kl(step, step.refusal, refused, later) + kept
        step.log["masked_kl"] = float(divergence.detach())
        return mean_nll(refused, step.refusal).mean() + self.kl_weight * divergence

    @staticmethod
    def _masked_kl(step: Step, batch: Batch, policy: Tensor, weight: Tensor) -> Tensor:
        """Return KL'(pi_0 || pi) in nats per token, where `weight` [B, T] is 1, []."""
        reference = without_tokens(step.reference(batch), step.concept_tokens)
        return mean_kl(reference, without_tokens(policy, step.concept_tokens), weight).mean()


def without_tokens(distribution: Tensor, tokens: Tensor) -> Tensor:
    """Return log-probabilities [B, T, V] without `tokens` (True in [V]), renormalised."""
    return log_softmax(distribution.masked_fill(tokens, MASKED), dim=-1)


METHOD = SIU
