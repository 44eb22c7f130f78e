"""Full updates: of each adapted layer's weight, a change D of the same shape, [out, in].

LoRA computes with W + s B A, and full fine-tuning with W + D. D is zero at the start, and its
gradient is the gradient of the whole weight. So AdamW moves W + D as it would move W; only weight
decay differs, because it draws D to zero and not W. Norms, embeddings, the output layer, vision
tower and projector are not trained.

On the live model, a full update is an adapter of PEFT whose B is D and whose A is the identity. It
is switched, stacked, trained and kept in checkpoints as every adapter. On disk it is one float32
matrix for each layer, by the name of the base's weight.
"""

from dataclasses import dataclass
from pathlib import Path

from peft import PeftModel
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils import skip_init

from kit.errors import ModelError
from kit.model.adapter_files import AGAIN
from kit.model.side_by_side import layers_with
from kit.result.layout import FULL_UPDATE

# Names of D: PEFT's portable one in memory, and that of the base's weight on disk.
PREFIX, ABOVE, WEIGHT = "base_model.model.", ".lora_B.weight", ".weight"


@dataclass(frozen=True)
class StoredUpdate:
    """The matrices D of one full update, float32, by PEFT's portable names."""

    folder: Path
    weights: dict[str, Tensor]

    @property
    def layers(self) -> dict[str, Tensor]:
        """D by the path of its layer in the base."""
        return {
            name.removeprefix(PREFIX).removesuffix(ABOVE): d for name, d in self.weights.items()
        }


class Unchanged(nn.Module):
    """The A of a full update: it returns its input, and has no weights.

    Args:
        above: B of the same layer; PEFT computes in the type of A's weights.
    """

    def __init__(self, above: nn.Linear) -> None:
        super().__init__()
        self._above = [above]  # in a list, so that it is no second parent of B

    @property
    def weight(self) -> Tensor:
        """The weights of B, of which only type and device are read."""
        return self._above[0].weight

    def forward(self, x: Tensor) -> Tensor:
        """Return x, [..., in]."""
        return x


def widen(model: PeftModel, name: str) -> None:
    """Make an adapter that was just added, of any rank, a full update that is zero."""
    for layer in layers_with(model, name):
        weight = layer.lora_B[name].weight
        above = skip_init(
            nn.Linear, layer.in_features, layer.out_features, bias=False,
            device=weight.device, dtype=weight.dtype,
        )  # fmt: skip
        nn.init.zeros_(above.weight)
        layer.lora_A[name], layer.lora_B[name] = Unchanged(above), above
        layer.scaling[name] = 1.0


def is_full(model: PeftModel, name: str) -> bool:
    """Return whether an adapter of the live model is a full update."""
    return any(isinstance(layer.lora_A[name], Unchanged) for layer in layers_with(model, name))


def stored_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return what is written to disk of the weights of a live full update, by portable names."""
    return {
        name.removeprefix(PREFIX).removesuffix(ABOVE) + WEIGHT: d for name, d in weights.items()
    }


def read_update(folder: Path) -> StoredUpdate | None:
    """Read a full update; None where the folder holds none.

    Raises:
        ModelError: the file is damaged, or holds something else than matrices.
    """
    path = folder / FULL_UPDATE
    if not path.is_file():
        return None
    try:
        found = load_file(path)
        if wrong := [n for n, d in found.items() if d.dim() != 2 or not n.endswith(WEIGHT)]:
            raise ValueError(f"no matrix of a layer: {wrong[0]}")
    except (OSError, SafetensorError, ValueError) as error:
        raise ModelError(
            f"the full update in {folder} is damaged",
            expected=f"{FULL_UPDATE}, as training wrote it",
            found=str(error).splitlines()[0][:300],
            remedy=AGAIN,
        ) from None
    named = {PREFIX + name.removesuffix(WEIGHT) + ABOVE: d for name, d in found.items()}
    return StoredUpdate(folder, named)
