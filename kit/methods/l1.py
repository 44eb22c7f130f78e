"""GD with an L1 norm of the adapter: L = -gamma E_f[M] + alpha E_r[M] + lambda |B|_1.

CLEAR (arXiv 2410.18057) adds the L1 norm of the LoRA weights to the losses of other methods, to
change few of them. With A and B both in the norm, A shrinks while B is still near 0, and B's
gradient, which A carries, shrinks with it. So the norm is that of B alone: where B is 0, the weight
is as it was. It is 0 at theta_0. The norm is a sum over all entries, as in the paper; its gradient
does not depend on the micro-batch.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from kit.methods import Needs, Step
from kit.methods.options import NOT_NEGATIVE, require


@dataclass(frozen=True)
class L1:
    """Ascend on D_f, descend on D_r, and change few weights."""

    l1_weight: float = 1e-5
    """Weight lambda of the norm, >= 0, in nats; at 0 it is GD. Where it is larger than the first
    gradients of D_f, which are small, B stays near 0. Default: the kit's choice."""
    forget_weight: float = 1.0
    """Weight gamma of the forget term, >= 0, no unit. Default: the kit's choice."""
    retain_weight: float = 1.0
    """Weight alpha of the retain term, >= 0, no unit. Default: the kit's choice."""
    needs: ClassVar[Needs] = Needs(retain=True)

    def __post_init__(self) -> None:
        require(self, l1_weight=NOT_NEGATIVE, forget_weight=NOT_NEGATIVE)
        require(self, retain_weight=NOT_NEGATIVE)

    def loss(self, step: Step) -> Tensor:
        forget, retain = -step.forget_nll().mean(), step.retain_nll().mean()
        norm = norm_of_b(step.model)
        step.log["l1"] = float(norm.detach())
        return self.forget_weight * forget + self.retain_weight * retain + self.l1_weight * norm


def norm_of_b(model: torch.nn.Module) -> Tensor:
    """Return the sum of the absolute values of the trained matrices B, []."""
    trained = [p for n, p in model.named_parameters() if p.requires_grad and ".lora_B." in n]
    return torch.stack([p.float().abs().sum() for p in trained] or [torch.zeros(())]).sum()


METHOD = L1
