"""Probe the decoder at a depth: answer with its first layers only.

The layers above a depth add nothing to the residual stream, because the matrices that write into it
are zero. The final norm and the head then read the state of that depth, as the logit lens does, and
decoding goes on greedily. Open-MMunlearning probes truncated decoders with a head that it trains;
here nothing is trained, so that nothing is taught. `probe_head` trains one.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from kit.attacks.weights import WeightAttack
from kit.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

# The matrices that write into the residual stream, in the families that the kit supports.
WRITES = ("o_proj", "down_proj")
_LAYER = re.compile(r"\.layers\.(\d+)\.")


@dataclass(frozen=True)
class EarlyExit(WeightAttack):
    """Silences the upper layers. It has no options."""

    unit: ClassVar[str] = "share of the layers that are left, rounded up"
    least: ClassVar[float] = 0.05
    most: ClassVar[float] = 1.0

    def weights(self, merged: Mapping[str, "Tensor"], level: float) -> dict[str, "Tensor"]:
        from kit.model.rounding import is_rounded

        inside = {name: each for name, each in merged.items() if is_rounded(name, each)}
        depths = {name: int(found[1]) for name in inside if (found := _LAYER.search(name))}
        writing = [name for name in depths if name.split(".")[-2] in WRITES]
        if not writing:
            raise ModelError(
                "the attack 'early_exit' finds no layer that it could silence",
                expected=f"weights named {' and '.join(WRITES)}",
                found=", ".join(sorted(inside)[:3]) or "no layers",
                remedy="remove this attack for this family of models",
            )
        left = math.ceil(round(level * (1 + max(depths.values())), 6))
        return {name: inside[name] * 0 for name in writing if depths[name] >= left}


ATTACK = EarlyExit
