"""Saliency unlearning (SalUn, arXiv 2310.12508): random labels on the most salient weights alone.

    L = E_f[M(other answer)] + alpha E_r[M],   theta = theta_0 + m * (theta - theta_0),
    m = 1[|E_f grad M| is among the largest share rho of all weights]

The saliency is the absolute value of the forget records' mean gradient at theta_0. Weights are
ranked over all tensors together, as in Unlearn-Saliency's generate_mask.py; CLEAR's port ranks in
each tensor, so that every layer must change. The random label is a retained person's (or event's)
answer. Weights outside of the mask do not move.

LoRA, the kit's choice: B is 0 at theta_0, so A has no gradient and is not ranked: it stays free.
Where B is masked it stays 0, and adds nothing to the weight whatever A does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from kit.methods import Gradient, Measured, Needs, State, Step, Update
from kit.methods.options import NOT_NEGATIVE, SHARE, require


@dataclass(frozen=True)
class SalUn:
    """Learn other people's answers, with the weights that the forget loss depends on most."""

    share: float = 0.5
    """Share rho of ranked weights that may move, in (0, 1]. Default: generate_mask.py's largest."""
    retain_weight: float = 1.0
    """Weight alpha of the retain term, >= 0, no unit. Default: the kit's choice, equal weights."""
    needs: ClassVar[Needs] = Needs(
        retain=True, other_answers=True, gradient_rule=True, measure=True
    )

    def __post_init__(self) -> None:
        require(self, share=SHARE, retain_weight=NOT_NEGATIVE)

    def measure(self, step: Step) -> dict[str, Tensor]:
        return {"forget": step.forget_nll().mean()}

    def begin(self, measured: Mapping[str, Measured]) -> State:
        return State(weights={"mask": measured["forget"].mean.abs().largest(self.share)})

    def loss(self, step: Step) -> Tensor:
        return step.other_nll().mean() + self.retain_weight * step.retain_nll().mean()

    def combine(self, update: Update) -> Gradient:
        update.mask = update.state.weights["mask"]
        return update.gradients["loss"] * update.mask


METHOD = SalUn
