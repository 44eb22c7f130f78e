"""Primal-dual unlearning (PDU, arXiv 2506.05314): flatten D_f under a bound on the loss of D_r.

    min E_f[mean_t (max z_t - mean z_t)^2]   subject to   E_r[M] <= epsilon
    g = grad forget + lambda grad E_r[M],   lambda <- max(0, lambda + eta (E_r[M] - epsilon))

z_t are logits; log-probabilities have the same differences. epsilon is the tolerance times the mean
of M(theta_0) over retain records, measured before the first step: the kit's choice. lambda moves
once a step, by the loss of the whole batch. open-unlearning's pdu.py moves it with each micro-batch
and flattens prompt and padding as well. Its warm-up, in which lambda stays, is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from kit.methods import Gradient, Measured, Needs, State, Step, Update
from kit.methods.options import NOT_NEGATIVE, POSITIVE, require


@dataclass(frozen=True)
class PDU:
    """Make all tokens of the answer equally likely, as hard as the retain loss allows."""

    tolerance: float = 1.05
    """epsilon over M_r(theta_0), > 0, no unit. Default: the kit's choice, 5 % more loss."""
    dual_step: float = 1.0
    """Step eta of lambda, >= 0, per nat. Default: pdu.py (dual_step_size)."""
    retain_weight: float = 1.0
    """lambda at the start, >= 0, no unit. Default: the kit's choice."""
    needs: ClassVar[Needs] = Needs(retain=True, gradient_rule=True, measure=True)

    def __post_init__(self) -> None:
        require(self, tolerance=POSITIVE, dual_step=NOT_NEGATIVE, retain_weight=NOT_NEGATIVE)

    def measure(self, step: Step) -> dict[str, Tensor]:
        with torch.no_grad():
            return {"retain": step.retain_nll().mean()}

    def begin(self, measured: Mapping[str, Measured]) -> State:
        bound = self.tolerance * measured["retain"].loss
        return State(numbers={"bound": bound, "lambda": self.retain_weight})

    def loss(self, step: Step) -> dict[str, Tensor]:
        logits, mask = step.policy(step.forget), step.forget.answer_mask
        margins = (logits.amax(dim=-1) - logits.mean(dim=-1)) ** 2
        flat = (margins * mask).sum(dim=1) / mask.sum(dim=1)
        return {"forget": flat.mean(), "retain": step.retain_nll().mean()}

    def combine(self, update: Update) -> Gradient:
        numbers = update.state.numbers
        weight, slack = numbers["lambda"], update.losses["retain"] - numbers["bound"]
        numbers["lambda"] = max(0.0, weight + self.dual_step * slack)
        update.log["lambda"] = weight
        return update.gradients["forget"] + update.gradients["retain"] * weight


METHOD = PDU
