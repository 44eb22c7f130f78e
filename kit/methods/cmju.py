"""Cross-modal joint unlearning (CMJU; code: mllm-unlearning-lab/CMJU-for-MLLM-Unlearning, CMJU.py).

    g = a * (c * ((|g_u| / |g_m|) g_m + g_u) + grad (E_r[M] + E_r[M of the text view]))

g_m and g_u ascend on M of the forget records with and without image. a is 1 for the share `top` of
tensors with the largest squared gradients at theta_0, each view's over its largest. c is larger for
tensors of both views: the text's part of the sum is within 1/2 +- margin. Left out: "I don't know."
in place of the measured answers, equal lengths of both groups, four retain batches, their bound.
LoRA, the kit's choice: A has no gradient at theta_0. It is not ranked, stays free and is shared.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from kit.methods import Gradient, Measured, Needs, State, Step, Update
from kit.methods.options import NOT_NEGATIVE, SHARE, SHARE_OR_NONE, require


@dataclass(frozen=True)
class CMJU:
    """Forget the image view and the text view together, with the tensors that carry them."""

    top: float = 0.3
    """Share of tensors that are trained, in (0, 1]. Defaults of all options: CMJU.py."""
    margin: float = 0.15
    """How far from 1/2 the text's part of a tensor of both views may be, in [0, 1]."""
    shared_weight: float = 2.0
    """Factor c of shared tensors, >= 0; the others have 1."""
    needs: ClassVar[Needs] = Needs(retain=True, text_view=True, gradient_rule=True, measure=True)

    def __post_init__(self) -> None:
        require(self, top=SHARE, margin=SHARE_OR_NONE, shared_weight=NOT_NEGATIVE)

    def measure(self, step: Step) -> dict[str, Tensor]:
        return {"image": step.forget_nll().mean(), "text": step.text_nll().mean()}

    def begin(self, measured: Mapping[str, Measured]) -> State:
        text, image = (measured[view].square.relative_means() for view in ("text", "image"))
        both, gap = text + image, (text - image).abs() * 0.5
        shared = (both * self.margin).at_least(gap)
        return State(weights={"active": both.largest(self.top), "shared": shared})

    def loss(self, step: Step) -> dict[str, Tensor]:
        retain = step.retain_nll().mean() + step.retain_text_nll().mean()
        image, text = -step.forget_nll().mean(), -step.text_nll().mean()
        return {"image": image, "text": text, "retain": retain}

    def combine(self, update: Update) -> Gradient:
        active, shared = (update.state.weights[name] for name in ("active", "shared"))
        image, text, retain = (update.gradients[n] * active for n in ("image", "text", "retain"))
        update.mask = active
        forget = image * (text.norm() / max(image.norm(), 1e-12)) + text
        return forget + forget * shared * (self.shared_weight - 1) + retain


METHOD = CMJU
