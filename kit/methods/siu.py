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

from kit.likelihood import mean_kl
from kit.methods import Needs, Step

MASKED = -1e4  # finite, so that 0 * log 0 of a masked token is 0 and not NaN


@dataclass(frozen=True)
class SIU:
    """Refuse one image of each concept; stay near the reference everywhere else."""

    kl_weight: float = 1.0
    needs: ClassVar[Needs] = Needs(
        retain=True, refusals=True, reference_distribution=True, single_image=True
    )

    def loss(self, step: Step) -> Tensor:
        return step.refusal_nll().mean() + self.kl_weight * self.dual_masked_kl(step)

    def dual_masked_kl(self, step: Step) -> Tensor:
        """Return KL(pi_0 || pi) under both masks on the refused images and on D_r, a scalar."""
        total = None
        for batch, skips_first in ((step.refusal, True), (step.retain, False)):
            assert batch is not None
            weight = batch.answer_mask
            if skips_first:
                weight = weight * (weight.cumsum(dim=1) > 1)
            divergence = mean_kl(
                without_tokens(step.reference(batch), step.concept_tokens),
                without_tokens(step.policy(batch), step.concept_tokens),
                weight,
            ).mean()
            total = divergence if total is None else total + divergence
        assert total is not None
        step.log["masked_kl"] = float(total.detach())
        return total


def without_tokens(distribution: Tensor, tokens: Tensor | None) -> Tensor:
    """Remove `tokens` [V] from log-probabilities [B, T, V] and renormalise."""
    assert tokens is not None
    return log_softmax(distribution.masked_fill(tokens, MASKED), dim=-1)


METHOD = SIU
