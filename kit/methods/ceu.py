"""Cross-entropy unlearning (CE-U, arXiv 2503.01224).

    L = E_f[mean_t CE(q_t, pi_t)],   q_t = softmax(z_t with z_t[y_t] = -infinity)

The target q_t is the model's own distribution without the answer's token, renormalised; it has no
gradient. So the model learns that all tokens but the answer's are as likely as it finds them, and
the force fades as the answer is forgotten. There is no retain term: nothing protects other answers.
Log-probabilities stand for logits, which changes nothing.

The mean leaves out the first tokens of each answer, which decide its form, as in open-unlearning's
src/trainer/unlearn/ceu.py. An answer of no other tokens has loss 0.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from kit.methods import Needs, Step
from kit.methods.options import NOT_NEGATIVE, require
from kit.model.likelihood import cross_entropy, token_mean


@dataclass(frozen=True)
class CEU:
    """Learn the model's own distribution on D_f without the answers' tokens."""

    skipped: int = 1
    """How many tokens at the start of an answer are left alone, >= 0. Default:
    open-unlearning's configs/trainer/CEU.yaml."""
    needs: ClassVar[Needs] = Needs()

    def __post_init__(self) -> None:
        require(self, skipped=NOT_NEGATIVE)

    def loss(self, step: Step) -> Tensor:
        policy, batch = step.forget_distribution(), step.forget
        logits = policy.detach().scatter(-1, batch.answer_ids.unsqueeze(-1), float("-inf"))
        per_token = cross_entropy(torch.log_softmax(logits, dim=-1), policy)
        later = batch.answer_mask * (batch.answer_mask.cumsum(dim=1) > self.skipped)
        return token_mean(per_token, later).mean()


METHOD = CEU
