"""MIP-Editor (arXiv 2511.06793): cut the neurons that a forgotten answer depends on, then steer.

First, each MLP loses the neurons with the largest mean of |a dM/da| over D_f; a is an activation.
Then L = forget_weight E_f[mean_t |h_t - c u|^2 / d] + retain_weight E_r[M] is minimised without
them; h_t and u are RMU's (kit/methods/rmu.py). The paper integrates gradients along a path in the
language model, and Fisher information in the vision tower. Here the path has one step, as in
Open-MMunlearning's port (src/trainer/unlearn/mip_editor.py), whose defaults these are. The kit's
own: the language model alone, all forget records, steering at `depth` (the port's: the last MLP).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from kit.methods import Needs, Step
from kit.methods.neurons import attributions, highest, record_mean
from kit.methods.options import COUNT, NOT_NEGATIVE, POSITIVE, SHARE, require
from kit.model.hidden import layer_at, mean_square


@dataclass(frozen=True)
class MIPEditor:
    """Remove the neurons that forgotten answers depend on, and steer what is left."""

    neurons_per_layer: int = 5
    """How many neurons each MLP loses, >= 1. Default: the port's path_topk."""
    coefficient: float = 1.0
    """Length c of the target, > 0, in units of hidden states. Default: the port's."""
    forget_weight: float = 5.0
    """Weight of the steering, >= 0. Default: the port's, 0.5 times 10."""
    retain_weight: float = 0.5
    """Weight of the retain loss, >= 0. Default: the port's."""
    depth: float = 0.25
    """Layer of the steering as a share of the decoder's layers, in (0, 1]. Default: RMU's."""
    needs: ClassVar[Needs] = Needs(retain=True, hidden_states=True, neurons=True)

    def __post_init__(self) -> None:
        require(self, neurons_per_layer=COUNT, coefficient=POSITIVE, depth=SHARE,
                forget_weight=NOT_NEGATIVE, retain_weight=NOT_NEGATIVE)  # fmt: skip

    def neurons(self, steps: Iterable[Step]) -> dict[str, list[int]]:
        """Return the neurons with the largest attributions in each MLP."""
        sums: dict[str, Tensor] = {}
        for step in steps:
            for path, values in attributions(step, step.forget).items():
                found = record_mean(values.abs(), step.forget).sum(dim=0)
                sums[path] = sums[path] + found if path in sums else found
        return {p: highest({p: s}, self.neurons_per_layer)[p] for p, s in sums.items()}

    def loss(self, step: Step) -> Tensor:
        layer, batch = layer_at(step.model, self.depth), step.forget
        target = (self.coefficient * step.direction).expand(1, 1, -1)
        steered = mean_square(step.hidden(batch, layer) - target, batch.answer_mask).mean()
        step.log["forget_square"] = float(steered.detach())
        return self.forget_weight * steered + self.retain_weight * step.retain_nll().mean()


METHOD = MIPEditor
