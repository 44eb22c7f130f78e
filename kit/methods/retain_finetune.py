"""Control: continue fine-tuning on D_r alone, L = E_r[M]. It forgets only by interference."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from kit.methods import Needs, Step


@dataclass(frozen=True)
class RetainFinetune:
    """Plain supervised fine-tuning; also the objective of the vanilla and retain-only models.

    It has no options.
    """

    needs: ClassVar[Needs] = Needs(forget=False, retain=True)

    def loss(self, step: Step) -> Tensor:
        return step.retain_nll().mean()


METHOD = RetainFinetune
