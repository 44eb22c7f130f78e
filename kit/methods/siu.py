"""Single image unlearning (SIU, arXiv 2405.12523): one image a concept, dual-masked KL and CE.

From the paper's abstract and summaries: fine-tuning data that gives the concept a new answer, joint
with a KL divergence to the reference that masks (i) tokens that contradict the old knowledge and
(ii) the concept's name in the vocabulary. What the kit fixes where the text could not be had, as
its own protocol: the new answer is a refusal; the token mask takes the first token of the refusal
out, where it is decided that the question is refused; the vocabulary mask removes all tokens of the
forgotten names (for events: of their keywords, since an event has no name) and renormalises both
distributions; non-targeted knowledge is kept by the same KL on D_r.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import log_softmax

from kit.methods import Needs, Step
from kit.model.batches import Batch
from kit.model.likelihood import mean_kl, mean_nll

MASKED = -1e4  # finite, so that 0 * log 0 of a masked token is 0 and not NaN


@dataclass(frozen=True)
class SIU:
    """Refuse one image of each concept; stay near the reference everywhere else."""

    kl_weight: float = 1.0
    needs: ClassVar[Needs] = Needs(
        retain=True, refusals=True, reference_distribution=True, single_image=True
    )

    def loss(self, step: Step) -> Tensor:
        assert step.refusal is not None
        assert step.retain is not None
        refused = step.policy(step.refusal)
        # Where it is decided that the question is refused, the old knowledge is contradicted.
        later = step.refusal.answer_mask * (step.refusal.answer_mask.cumsum(dim=1) > 1)
        kept = self._masked_kl(step, step.retain, step.policy(step.retain), step.retain.answer_mask)
        divergence = self._masked_kl(step, step.refusal, refused, later) + kept
        step.log["masked_kl"] = float(divergence.detach())
        return mean_nll(refused, step.refusal).mean() + self.kl_weight * divergence

    @staticmethod
    def _masked_kl(step: Step, batch: Batch, policy: Tensor, weight: Tensor) -> Tensor:
        """Return KL(pi_0 || pi) without the concepts' tokens, where `weight` [B, T] is 1."""
        tokens = step.concept_tokens
        reference = without_tokens(step.reference(batch), tokens)
        return mean_kl(reference, without_tokens(policy, tokens), weight).mean()


def without_tokens(distribution: Tensor, tokens: Tensor | None) -> Tensor:
    """Remove `tokens` [V] from log-probabilities [B, T, V] and renormalise."""
    assert tokens is not None
    return log_softmax(distribution.masked_fill(tokens, MASKED), dim=-1)


METHOD = SIU
