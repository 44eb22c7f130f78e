"""NPO with sharpness-aware minimisation (arXiv 2502.05374), against relearning.

    g = grad L_f(theta + rho g_f / |g_f|) + alpha grad E_r[M](theta),   g_f = grad L_f(theta)
    L_f = -(2/beta) E_f[log sigma(-beta (log pi(y) - log pi_0(y)))]

The forget loss is taken where it is worst within a distance rho, so that a flat region is found;
the retain term stays at theta. This is the step of Unlearn-Smooth's sam_iterative.py. Its NPO there
takes single logits of all positions; the kit's is that of `npo.py`. At rho = 0 it is NPO.

LoRA: the distance is one of A and B together, not of their product. B is 0 at theta_0, so the first
g_f has zeros for A, and the first displacement is one of B alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from kit.methods import Gradient, Needs, Step, Update
from kit.methods.npo import npo_term
from kit.methods.options import NOT_NEGATIVE, POSITIVE, require


@dataclass(frozen=True)
class NPOSAM:
    """Make the answer less likely than under the reference, also for weights close by."""

    rho: float = 0.01
    """Distance, >= 0, in units of the weights. Default: sam_iterative.py (sam_rho)."""
    beta: float = 0.1
    """Inverse temperature, > 0, per nat. Default: sam_iterative.py."""
    retain_weight: float = 1.0
    """Weight alpha of the retain term, >= 0, no unit. Default: sam_iterative.py (coeff)."""
    needs: ClassVar[Needs] = Needs(
        retain=True, reference_scalars=True, gradient_rule=True, perturbation=True
    )

    def __post_init__(self) -> None:
        require(self, rho=NOT_NEGATIVE, beta=POSITIVE, retain_weight=NOT_NEGATIVE)

    def loss(self, step: Step) -> dict[str, Tensor]:
        forget = npo_term(step, self.beta)
        if step.perturbed:
            return {"forget": forget}
        return {"forget": forget, "retain": step.retain_nll().mean()}

    def perturb(self, gradients: Mapping[str, Gradient]) -> Gradient:
        forget = gradients["forget"]
        return forget * (self.rho / max(forget.norm(), 1e-12))

    def combine(self, update: Update) -> Gradient:
        return update.perturbed["forget"] + update.gradients["retain"] * self.retain_weight


METHOD = NPOSAM
