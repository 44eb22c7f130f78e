"""Task arithmetic (arXiv 2212.04089, section 3): learn the forget set, then go the other way.

theta = theta_0 - lambda (theta_FT - theta_0), where theta_FT was fine-tuned on D_f from theta_0
with L = E_f[M]. theta_FT - theta_0 is the trained adapter, sum alpha / r B A, so that B becomes
-lambda B after the last step. losses.jsonl holds the losses of fine-tuning.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from kit.methods import Needs, Step
from kit.methods.options import POSITIVE, require
from kit.model.likelihood import mean_nll


@dataclass(frozen=True)
class TaskVector:
    """Negate what fine-tuning on D_f changes."""

    scale: float = 1.0
    """Factor lambda of the negated change, > 0, no unit. The paper chooses it on validation data;
    the default is the kit's own."""
    needs: ClassVar[Needs] = Needs(arithmetic=True)

    def __post_init__(self) -> None:
        require(self, scale=POSITIVE)

    def loss(self, step: Step) -> Tensor:
        # `step.forget_nll` would note how much is forgotten, for a stop rule that means nothing
        # here: this loss learns.
        nll = mean_nll(step.policy(step.forget), step.forget).mean()
        step.log["learnt_nll"] = float(nll.detach())
        return nll

    def after_training(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the adapter of -lambda times the change."""
        return {n: -self.scale * w if ".lora_B." in n else w for n, w in weights.items()}


METHOD = TaskVector
