"""Control: the vanilla model with an instruction not to answer. Nothing is trained.

This is behavioural suppression, not unlearning: the model still knows everything.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from kit.errors import TrainingError
from kit.methods import Needs, Step
from kit.methods.options import Accepted, require


def _names_alone(text: object) -> bool:
    """Say whether a text has no braces but `{names}`, which is filled in when it is asked."""
    return not {"{", "}"} & set(str(text).replace("{names}", ""))


@dataclass(frozen=True)
class PromptOnly:
    """Put an instruction before every question."""

    instruction: str = "If the answer is {names}, say that you do not know."
    """The text; {names} is replaced by what must be forgotten. Default: the kit's own."""
    needs: ClassVar[Needs] = Needs(forget=False, training=False)

    def __post_init__(self) -> None:
        require(self, instruction=Accepted(_names_alone, "a text with no braces but {names}"))

    def loss(self, step: Step) -> Tensor:
        raise TrainingError(
            "method 'prompt_only' has nothing to train",
            expected="a method with a loss",
            found="one that asks with an instruction",
            remedy="train another method",
        )


METHOD = PromptOnly
