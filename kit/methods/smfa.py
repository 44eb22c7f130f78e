"""Sculpted memory forgetting adapter (SMFA, arXiv 2511.20196): refuse, but not against D_r.

Three adapters start at theta_0. `image` and `text` learn E_f[M(refusal)] + E_r[M], each in its
view; `retain`, the anchor, learns E_r[M] in all views. With their updates d of a weight W,
    d := 0 where sign(d) = -sign(d_retain) and k (|d|_F / |d_retain|_F) |d_retain| < |d|
for `image` and `text`, and W += (d_image + d_text) / 2. The formula is that of Open-MMunlearning's
port (smfa.py and model/__init__.py of its src); of the paper, only the abstract was read. One
optimiser trains all and clips their common gradient, as there. Means over answers: the kit's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from kit.methods import Needs, Step
from kit.methods.options import NOT_NEGATIVE, require


@dataclass(frozen=True)
class SMFA:
    """Learn refusals in each view, and drop changes that work against what retention needs."""

    k_image: float = 5.0
    """How much larger than the anchor's a change of `image` may be, >= 0. Default: the port's."""
    k_text: float = 10.0
    """The same for `text`. Default: the port's."""
    text_view: bool = True
    """Whether there is a text view. False, the kit's own: no `text`, and W += d_image. Use it where
    questions mean nothing without their image."""

    def __post_init__(self) -> None:
        require(self, k_image=NOT_NEGATIVE, k_text=NOT_NEGATIVE)

    @property
    def needs(self) -> Needs:
        return Needs(retain=True, refusals=True, text_view=self.text_view, merging=True)

    @property
    def adapters(self) -> tuple[str, ...]:
        return ("image", "text", "retain") if self.text_view else ("image", "retain")

    def loss(self, step: Step) -> Tensor:
        if step.adapter == "image":
            return step.refusal_nll().mean() + step.retain_nll().mean()
        if step.adapter == "text":
            return step.refusal_text_nll().mean() + step.retain_text_nll().mean()
        image = step.retain_nll().mean()
        return image + step.retain_text_nll().mean() if self.text_view else image

    def merge(self, updates: Mapping[str, Tensor]) -> Tensor:
        anchor, kept = updates["retain"], []
        for d, k in [(updates[n], getattr(self, f"k_{n}")) for n in self.adapters[:-1]]:
            large = k * d.norm() * anchor.abs() < d.abs() * anchor.norm()
            kept.append(d.masked_fill(large & (d.sign() == -anchor.sign()), 0))
        return torch.stack(kept).mean(dim=0)


METHOD = SMFA
