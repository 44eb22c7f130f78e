"""Control: the vanilla model, told in the prompt to withhold. Nothing is trained."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from kit.methods import Needs, Step


@dataclass(frozen=True)
class PromptOnly:
    """`instruction` is put before every question; {names} becomes what is to be forgotten."""

    instruction: str = "If the answer is {names}, say that you do not know."
    needs: ClassVar[Needs] = Needs(forget=False, training=False)

    def loss(self, step: Step) -> Tensor:
        raise ValueError("the prompt-only baseline has nothing to train")


METHOD = PromptOnly
