"""Weighted gradient ascent (WGA, arXiv 2502.19301).

    L = -gamma E_f[mean_t w_t l_t] + alpha E_r[M],   w_t = p_t^beta

l_t = -log p_t is the loss of an answer's token, and w_t has no gradient. A token that the model has
lost already is pushed no further, so that ascent fades. At beta = 0 this is `grad_diff`.
"""

from dataclasses import dataclass

from torch import Tensor

from kit.methods import Needs, Step
from kit.methods.options import NOT_NEGATIVE, require
from kit.model.likelihood import answer_logprobs, token_mean


@dataclass(frozen=True)
class WGA:
    """Ascend on the tokens of D_f that the model still knows, and descend on D_r."""

    beta: float = 1.0
    """Exponent of the weights, >= 0, no unit. Larger values leave more tokens alone.
    Default: open-unlearning's configs/trainer/WGA.yaml."""
    forget_weight: float = 1.0
    """Weight gamma of the forget term, >= 0, no unit. Default: WGA.yaml."""
    retain_weight: float = 1.0
    """Weight alpha of the retain term, >= 0, no unit; at 0 no retain record is computed.
    Default: WGA.yaml."""

    def __post_init__(self) -> None:
        require(
            self, beta=NOT_NEGATIVE, forget_weight=NOT_NEGATIVE, retain_weight=NOT_NEGATIVE
        )  # fmt: skip

    @property
    def needs(self) -> Needs:
        """Return what a step must contain: retain records where their weight is not 0."""
        return Needs(retain=self.retain_weight > 0)

    def loss(self, step: Step) -> Tensor:
        logprobs = answer_logprobs(step.forget_distribution(), step.forget)
        weights = logprobs.detach().exp() ** self.beta
        forget = token_mean(weights * logprobs, step.forget.answer_mask).mean()
        return self.forget_weight * forget + step.retain_term(self.retain_weight)


METHOD = WGA
