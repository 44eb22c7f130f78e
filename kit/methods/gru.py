"""Gradient rectified unlearning (GRU, arXiv 2503.09117): forget only where D_r does not object.

    r_t = gamma grad E_r[M] + (1 - gamma) r_{t-1},   r_0 = 0
    g = g_f - (g_f . r_t / |r_t|^2) r_t   if g_f . r_t < 0, else g_f

g_f is the gradient of the forget loss: -E_f[M], or NPO's. Retain records only turn it; no retain
term is descended on. The formula and r_0 are those of open-unlearning's pull request 83 (gru.py).
LoRA: B is 0 at theta_0, so the first g_f and r are zero for A, and the projection is one of B.
"""

from dataclasses import dataclass

from torch import Tensor

from kit.methods import Gradient, Needs, Step, Update
from kit.methods.npo import npo_term
from kit.methods.options import POSITIVE, SHARE, OneOf, require


@dataclass(frozen=True)
class GRU:
    """Take out of the forget gradient what would make the retain records less likely."""

    gamma: float = 0.8
    """Weight of the newest retain gradient, in (0, 1]. Default: gru.py (gamma_gru)."""
    forget: str = "ascent"
    """Forget loss: "ascent" or "npo". Default: gru.py (forget_loss_type)."""
    beta: float = 0.1
    """NPO's inverse temperature, > 0, per nat; ascent has none. Default: gru.py."""

    def __post_init__(self) -> None:
        require(self, gamma=SHARE, forget=OneOf(("ascent", "npo")), beta=POSITIVE)

    @property
    def needs(self) -> Needs:
        """Return what a step must contain: reference scalars for NPO alone."""
        scalars = self.forget == "npo"
        return Needs(retain=True, reference_scalars=scalars, gradient_rule=True)

    def loss(self, step: Step) -> dict[str, Tensor]:
        return {"forget": self._forget(step), "retain": step.retain_nll().mean()}

    def _forget(self, step: Step) -> Tensor:
        if self.forget == "ascent":
            return -step.forget_nll().mean()
        return npo_term(step, self.beta)

    def combine(self, update: Update) -> Gradient:
        forget, retain = update.gradients["forget"], update.gradients["retain"] * self.gamma
        if earlier := update.state.weights.get("retain"):
            retain = retain + earlier * (1 - self.gamma)
        update.state.weights["retain"] = retain
        product = forget.dot(retain)
        update.log["conflict"] = float(product < 0)
        return forget - retain * (product / retain.dot(retain)) if product < 0 else forget


METHOD = GRU
