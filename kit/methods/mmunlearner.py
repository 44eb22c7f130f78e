"""MMUnlearner (arXiv 2502.11051): ascend only where D_f weighs more than what is to be preserved.

    g = m * grad(-gamma E_f[M]) + m * grad(E_r[M]),   m = 1[F_f >= tau F_p]

F is the diagonal of the empirical Fisher at theta_0: the mean of single records' squared gradients
of M, in float32. F_f is of forget records; F_p of as many retain records and of the forget records'
text view, which is to stay. In released code (MLLMU_manifold.py) AdamW still moves masked weights.
LoRA, the kit's choice: at theta_0 B is 0, so A has no gradient. The mask is one of B; A is free.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from kit.methods import Gradient, Measured, Needs, State, Step, Update
from kit.methods.options import NOT_NEGATIVE, POSITIVE, require


@dataclass(frozen=True)
class MMUnlearner:
    """Gradient difference on the weights that matter more for forgetting than for the rest."""

    threshold: float = 1.0
    """Least ratio tau of the Fishers, > 0. Default: Open-MMunlearning's mmunlearner.py."""
    forget_weight: float = 1.0
    """Weight gamma, >= 0, no unit. Default: MLLMU_manifold.py (forget_alpha)."""
    mask_update: bool = True
    """Whether masked weights stay, also for the retain term. Default: the kit's choice."""
    preserve_text: bool = True
    """Whether F_p has the text view. Use false where questions mean nothing without their image."""

    def __post_init__(self) -> None:
        require(self, threshold=POSITIVE, forget_weight=NOT_NEGATIVE)

    @property
    def needs(self) -> Needs:
        """Return what a step must contain."""
        return Needs(retain=True, text_view=self.preserve_text, gradient_rule=True, measure=True)

    def measure(self, step: Step) -> dict[str, Tensor]:
        losses = {"forget": step.forget_nll().mean(), "retain": step.retain_nll().mean()}
        return losses | ({"text": step.text_nll().mean()} if self.preserve_text else {})

    def begin(self, measured: Mapping[str, Measured]) -> State:
        retain, text = measured["retain"], measured.get("text", measured["retain"])
        preserve = (retain.square + text.square) * (self.threshold / 2)
        return State(weights={"mask": measured["forget"].square.at_least(preserve)})

    def loss(self, step: Step) -> dict[str, Tensor]:
        return {"forget": -step.forget_nll().mean(), "retain": step.retain_nll().mean()}

    def combine(self, update: Update) -> Gradient:
        mask, retain = update.state.weights["mask"], update.gradients["retain"]
        if self.mask_update:
            update.mask, retain = mask, retain * mask
        return update.gradients["forget"] * self.forget_weight * mask + retain


METHOD = MMUnlearner
