"""Several LoRA adapters in one file that are merged into one update of each weight.

Adapter i of n adapters of rank r has the ranks i r to i r + r - 1 of the file: these rows of A and
columns of B. The merged update is a function of the n updates B_i A_i. It may have any rank, so no
LoRA computes it. It is computed from the file wherever it is needed, one layer at a time: stored,
it would be as large as the model.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from kit.errors import ModelError
from kit.model.adapter_files import AGAIN
from kit.result.layout import MERGING
from kit.result.merging import Merger, parse_merger


@dataclass(frozen=True)
class Merge:
    """The rule of one artifact: how its adapters become one update."""

    adapters: tuple[str, ...]
    rule: Callable[[Mapping[str, Tensor]], Tensor]
    """From the updates of a layer's weight by adapter, [out, in] each, to one, [out, in]."""

    def update(self, below: Tensor, above: Tensor, scale: float) -> Tensor:
        """Return the merged update of a layer's weight in float32, [out, in].

        Args:
            below: A of all adapters, [n r, in].
            above: B of all adapters, [out, n r].
            scale: alpha / r of each.
        """
        count = len(self.adapters)
        pairs = zip(above.float().chunk(count, dim=1), below.float().chunk(count), strict=True)
        updates = [scale * (b @ a) for b, a in pairs]
        return self.rule(dict(zip(self.adapters, updates, strict=True)))


MergeIn = Callable[[Path], Merge | None]
"""From the folder of an artifact to its rule; None where it has none, as most."""


def no_merge(folder: Path) -> Merge | None:
    """Return None: for folders of which none is merged.

    Raises:
        ModelError: the artifact is merged.
    """
    if read_merger(folder) is None:
        return None
    raise ModelError(
        f"{folder} holds several adapters, which only a method's rule makes into one",
        expected="one adapter",
        found=MERGING,
        remedy="load it with `merge_in` of kit/methods/merging.py",
    )


def read_merger(folder: Path) -> Merger | None:
    """Return how the adapters of an artifact are merged; None where it has no such file.

    Raises:
        ModelError: the file is damaged.
    """
    path = folder / MERGING
    if not path.is_file():
        return None
    try:
        return parse_merger(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path} is damaged",
            expected="a JSON object with adapters, method and options",
            found=str(error).splitlines()[0][:300],
            remedy=AGAIN,
        ) from None
