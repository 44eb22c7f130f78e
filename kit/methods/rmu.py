"""Representation misdirection for unlearning (RMU, arXiv 2403.03218, section 4).

L = E_f[mean_t |h_t - c u|^2 / d] + alpha E_r[mean_t |h_t - h0_t|^2 / d].

h_t is the output of decoder layer L where answer token t is predicted, [d], h0_t that of the
vanilla model, and u a random unit vector. The passes end at layer L (`step.hidden`). The adapters
of later layers get no gradient: their matrices B stay zero, so these layers are the vanilla
model's. The paper trains three layers up to L on whole documents, open-unlearning
(configs/trainer/RMU.yaml) all weights on answer tokens. That all adapters up to L are trained, and
that a token counts where it is predicted, is the kit's own choice.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from kit.methods import Needs, Step
from kit.methods.options import NOT_NEGATIVE, POSITIVE, SHARE, require
from kit.model.hidden import layer_at, mean_square


@dataclass(frozen=True)
class RMU:
    """Push hidden states of forget answers to a random vector, and keep those of D_r."""

    coefficient: float = 2.0
    """Length c of the target, > 0, in units of hidden states. Default: open-unlearning's RMU.yaml.
    The larger the hidden states of a base are, the larger it must be."""
    depth: float = 0.25
    """Layer L as a share of the decoder's layers, in (0, 1]. Default: layer 7 (from 0) of 32, as in
    the paper."""
    retain_weight: float = 1.0
    """Weight alpha of the retain term, >= 0, no unit. Default: RMU.yaml."""
    needs: ClassVar[Needs] = Needs(retain=True, hidden_states=True)

    def __post_init__(self) -> None:
        require(self, coefficient=POSITIVE, depth=SHARE, retain_weight=NOT_NEGATIVE)

    def loss(self, step: Step) -> Tensor:
        layer, forget, retain = layer_at(step.model, self.depth), step.forget, step.retain
        target = (self.coefficient * step.direction).expand(1, 1, -1)
        steered = mean_square(step.hidden(forget, layer) - target, forget.answer_mask)
        drift = step.hidden(retain, layer) - step.reference_hidden(retain, layer)
        kept = mean_square(drift, retain.answer_mask)
        step.log["forget_square"] = float(steered.detach().mean())
        step.log["retain_square"] = float(kept.detach().mean())
        return steered.mean() + self.retain_weight * kept.mean()


METHOD = RMU
