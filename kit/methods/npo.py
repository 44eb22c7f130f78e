"""Negative preference optimisation (NPO, arXiv 2404.05868).

L = -(2/beta) E_f[log sigma(-beta (log pi(y) - log pi_0(y)))] + alpha E_r[M], with log-probabilities
summed over the answer and one sigmoid per record. As beta -> 0 its gradient becomes that of ascent
on S; at theta = theta_0 the forget term is (2/beta) log 2.
"""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from kit.methods import Needs, Step
from kit.methods.legacy import CLEAR, MLLMU, NONE, NPO_OF, OPEN_UNLEARNING, mean_of
from kit.methods.options import NOT_NEGATIVE, POSITIVE, OneOf, require


def npo_term(step: Step, beta: float) -> Tensor:
    """Return NPO's forget term, in nats, []; `gru` and `npo_sam` descend on it as well."""
    log_ratio = step.forget_logprob() - step.forget_reference
    return -logsigmoid(-beta * log_ratio).mean() * 2 / beta


@dataclass(frozen=True)
class NPO:
    """Make the answer less likely than under the reference, with a force that fades."""

    beta: float = 0.1
    """Inverse temperature, > 0, per nat. Larger values stop pushing an answer sooner.
    Default: open-unlearning's configs/trainer/NPO.yaml."""
    retain_weight: float = 1.0
    """Weight alpha of the retain term, >= 0, no unit; at 0 no retain record is computed.
    Default: open-unlearning's NPO.yaml."""
    legacy: str = NONE
    """"none"; "open-unlearning": a mean over the batch's tokens in place of E_r[M]; "mllmu" (its
    beta is 0.4) or "clear" (1.0): losses of another form, see `legacy.py`. Default: as above."""

    def __post_init__(self) -> None:
        require(self, beta=POSITIVE, retain_weight=NOT_NEGATIVE)
        require(self, legacy=OneOf((NONE, OPEN_UNLEARNING, MLLMU, CLEAR)))

    @property
    def needs(self) -> Needs:
        """Return what a step must contain."""
        if self.legacy == MLLMU:
            return Needs(retain_only_scalars=True, whole_batch=True)
        if self.legacy == CLEAR:
            return Needs(reference_distribution=True, whole_batch=True)
        return Needs(
            retain=self.retain_weight > 0, reference_scalars=True, whole_batch=self.legacy != NONE
        )

    def loss(self, step: Step) -> Tensor:
        if self.legacy in (MLLMU, CLEAR):
            return NPO_OF[self.legacy](step, self.beta)
        forget = npo_term(step, self.beta)
        if not self.retain_weight:
            return forget
        return forget + self.retain_weight * mean_of(step.retain_nll(), step.retain, self.legacy)


METHOD = NPO
