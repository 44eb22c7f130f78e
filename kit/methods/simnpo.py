"""Simple negative preference optimisation (SimNPO, arXiv 2410.07163).

    L = gamma (-(2/beta) E_f[log sigma(beta (M - delta))]) + alpha E_r[M]

The answer's mean log-probability replaces NPO's log-ratio, so that no reference is needed and long
answers weigh no more than short ones. As beta -> 0 the gradient of the forget term becomes that of
ascent on M, times gamma.
"""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from kit.methods import Needs, Step
from kit.methods.options import NOT_NEGATIVE, POSITIVE, require


@dataclass(frozen=True)
class SimNPO:
    """Make the answer's mean log-probability smaller, with a force that fades."""

    beta: float = 4.5
    """Inverse temperature, > 0, per nat. Larger values stop pushing an answer sooner.
    Default: open-unlearning's configs/trainer/SimNPO.yaml."""
    delta: float = 0.0
    """M at which half of the force is left, >= 0, in nats per token. Default: SimNPO.yaml."""
    forget_weight: float = 0.125
    """Weight gamma of the forget term, >= 0, no unit. Default: SimNPO.yaml."""
    retain_weight: float = 1.0
    """Weight alpha of the retain term, >= 0, no unit; at 0 no retain record is computed.
    Default: SimNPO.yaml."""

    def __post_init__(self) -> None:
        require(self, beta=POSITIVE, delta=NOT_NEGATIVE)
        require(self, forget_weight=NOT_NEGATIVE, retain_weight=NOT_NEGATIVE)

    @property
    def needs(self) -> Needs:
        """Return what a step must contain: retain records where their weight is not 0."""
        return Needs(retain=self.retain_weight > 0)

    def loss(self, step: Step) -> Tensor:
        shifted = self.beta * (step.forget_nll() - self.delta)
        forget = -logsigmoid(shifted).mean() * 2 / self.beta
        return self.forget_weight * forget + step.retain_term(self.retain_weight)


METHOD = SimNPO
