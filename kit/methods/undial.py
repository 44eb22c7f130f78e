"""Unlearning by self-distillation with adjusted logits (UNDIAL, arXiv 2402.10052).

    L = E_f[mean_t CE(softmax(z0_t - beta 1[y_t]), pi_t)] + alpha E_r[M]

z0_t are the logits of the reference for token t, lowered by beta at the token y_t of the answer;
the model learns the distribution that results. Log-probabilities stand for logits: softmax
does not see the difference. The loss is bounded below, by the entropy of the target. At beta = 0
its gradient is zero at the reference.

open-unlearning's compute_undial_loss (src/trainer/utils.py) also averages over prompt and padding,
and computes the retain term even where its weight is 0. The kit does neither.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from kit.methods import Needs, Step
from kit.methods.options import NOT_NEGATIVE, POSITIVE, require
from kit.model.batches import Batch
from kit.model.likelihood import cross_entropy, token_mean


@dataclass(frozen=True)
class UNDIAL:
    """Learn the reference's distribution with the answer's tokens pushed down."""

    beta: float = 10.0
    """By how much the logit of an answer's token is lowered, > 0, in nats. Default:
    open-unlearning's configs/trainer/UNDIAL.yaml."""
    retain_weight: float = 0.0
    """Weight alpha of the retain term, >= 0, no unit; at 0 no retain record is computed.
    Default: UNDIAL.yaml."""

    def __post_init__(self) -> None:
        require(self, beta=POSITIVE, retain_weight=NOT_NEGATIVE)

    @property
    def needs(self) -> Needs:
        """Return what a step must contain: retain records where their weight is not 0."""
        return Needs(retain=self.retain_weight > 0, reference_distribution=True)

    def loss(self, step: Step) -> Tensor:
        batch = step.forget
        target = lowered(step.reference(batch), batch, self.beta)
        per_token = cross_entropy(target, step.forget_distribution())
        loss = token_mean(per_token, batch.answer_mask).mean()
        return loss + step.retain_term(self.retain_weight)


def lowered(distribution: Tensor, batch: Batch, amount: float) -> Tensor:
    """Return log-probabilities [B, T, V] with each answer token's logit lowered by `amount`."""
    tokens = batch.answer_ids.unsqueeze(-1)
    less = distribution.gather(-1, tokens) - amount
    return torch.log_softmax(distribution.scatter(-1, tokens, less), dim=-1)


METHOD = UNDIAL
