"""Saturation and importance weights (SatImp, arXiv 2505.11953).

    L = -gamma E_f[mean_t w_t l_t] + alpha E_r[M],   w_t = p_t^beta1 (1 - p_t)^beta2

l_t = -log p_t is the loss of an answer's token, and w_t has no gradient. The first factor is of
saturation: a token that the model has lost is pushed no further. The second is of importance: a
token that is certain, such as one that grammar dictates, is left alone. At beta2 = 0 this is `wga`.

A token whose p_t is 1 in the precision of the computation has weight 0. An answer of such tokens
alone is never pushed.
"""

from dataclasses import dataclass

from torch import Tensor

from kit.methods import Needs, Step
from kit.methods.options import NOT_NEGATIVE, require
from kit.model.likelihood import answer_logprobs, token_mean


@dataclass(frozen=True)
class SatImp:
    """Ascend on those tokens of D_f that are neither lost nor certain, and descend on D_r."""

    beta1: float = 5.0
    """Exponent of saturation, >= 0, no unit. Default: open-unlearning's
    configs/trainer/SatImp.yaml."""
    beta2: float = 1.0
    """Exponent of importance, >= 0, no unit. Default: SatImp.yaml."""
    forget_weight: float = 0.1
    """Weight gamma of the forget term, >= 0, no unit. Default: SatImp.yaml. (The class of
    open-unlearning's src/trainer/unlearn/satimp.py has gamma = 1 and alpha = 0.1.)"""
    retain_weight: float = 1.0
    """Weight alpha of the retain term, >= 0, no unit; at 0 no retain record is computed.
    Default: SatImp.yaml."""

    def __post_init__(self) -> None:
        require(self, beta1=NOT_NEGATIVE, beta2=NOT_NEGATIVE)
        require(self, forget_weight=NOT_NEGATIVE, retain_weight=NOT_NEGATIVE)

    @property
    def needs(self) -> Needs:
        """Return what a step must contain: retain records where their weight is not 0."""
        return Needs(retain=self.retain_weight > 0)

    def loss(self, step: Step) -> Tensor:
        logprobs = answer_logprobs(step.forget_distribution(), step.forget)
        p = logprobs.detach().exp()
        weights = p**self.beta1 * (1 - p) ** self.beta2
        forget = token_mean(weights * logprobs, step.forget.answer_mask).mean()
        return self.forget_weight * forget + step.retain_term(self.retain_weight)


METHOD = SatImp
