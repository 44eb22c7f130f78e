"""Alternate preference optimisation (AltPO, arXiv 2409.13474): prefer a plausible other answer.

    L = -(2/beta) E_f[log sigma(beta [log pi(a)/pi_0(a) - log pi(y)/pi_0(y)])] + alpha E_r[M]

for the alternate a and the answer y, with log-probabilities summed over tokens. This is `dpo` with
an answer of the vanilla model's own in place of the refusal. How the alternate is asked for is in
kit/training/preparation/alternates.py: greedily, once for all jobs, and without the image.

open-unlearning (community/methods/AltPO) samples five alternates of each answer; the kit has one.
"""

from dataclasses import dataclass

from torch import Tensor

from kit.methods import Needs, Step
from kit.methods.dpo import preference
from kit.methods.options import NOT_NEGATIVE, POSITIVE, require


@dataclass(frozen=True)
class AltPO:
    """Prefer the vanilla model's alternate to the answer that must be forgotten."""

    beta: float = 0.1
    """Inverse temperature of the preference, > 0, per nat. Default: open-unlearning's
    configs/trainer/DPO.yaml; its AltPO searches 0.05, 0.1 and 0.5."""
    retain_weight: float = 1.0
    """Weight alpha of the retain term, >= 0, no unit; at 0 no retain record is computed.
    Default: DPO.yaml; AltPO searches 1, 2, 5."""

    def __post_init__(self) -> None:
        require(self, beta=POSITIVE, retain_weight=NOT_NEGATIVE)

    @property
    def needs(self) -> Needs:
        """Return what a step must contain: retain records where their weight is not 0."""
        return Needs(retain=self.retain_weight > 0, alternates=True, reference_scalars=True)

    def loss(self, step: Step) -> Tensor:
        chosen = step.alternate_logprob() - step.alternate_reference
        rejected = step.forget_logprob() - step.forget_reference
        return preference(chosen, rejected, self.beta) + step.retain_term(self.retain_weight)


METHOD = AltPO
