"""Image features of the frozen vision tower and projector, computed once for each image.

Neither the tower nor the projector is trained, so the features of an image never change. They are
kept in main memory while a worker lives, which has one tower and one processor, by the image's
path, whose bytes are checked against a checksum. Each image is computed alone, so its features
depend on no batch and a resumed run has the same bits.
"""

from collections.abc import Sequence
from dataclasses import replace
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import torch
from torch import Tensor

from kit.benchmarks.records import Record
from kit.errors import TrainingError
from kit.model.batches import Batch, Batcher
from kit.model.cache import ByteBoundedCache
from kit.model.likelihood import answer_distribution

GIVEN = "mm_encoder_outputs"  # the argument of transformers' models for features made before
REMEDY = "set vision_cache_bytes = 0 in [finetune] and [unlearn]"


class VisionFeatures:
    """Gives batches features instead of pixels.

    Args:
        base: the model without adapters.
        capacity: the features that were used last are kept, up to so many bytes.
    """

    def __init__(self, base: torch.nn.Module, batcher: Batcher, capacity: int) -> None:
        self.capacity = capacity
        self._base: Any = base  # torch declares every attribute as a tensor or a module
        self._batcher = batcher
        self._asked: dict[Path, Record] = {}
        self._stacked = False  # whether the model takes one tensor for all images
        self._kept = ByteBoundedCache(self._computed, _bytes, capacity)

    def __call__(self, records: Sequence[Record], batch: Batch) -> Batch:
        """Return the batch of these records with features instead of pixels."""
        shown = [(record.image, record) for record in records if record.image is not None]
        if not shown:
            return batch
        self._asked |= dict(shown)
        device = batch.answer_ids.device
        features = [part.to(device) for path, _ in shown for part in self._kept(path)]
        inputs = {k: v for k, v in batch.inputs.items() if not k.startswith("pixel_")}
        joined = torch.stack(features) if self._stacked else features
        given = {"image": SimpleNamespace(pooler_output=joined)}
        return replace(batch, inputs=inputs | {GIVEN: cast("Tensor", given)})

    def require_equal(self, model: torch.nn.Module, record: Record) -> None:
        """Check that a model computes the same with an image's features as with its pixels.

        Raises:
            TrainingError: it does not, to the last bit, or it takes no features.
        """
        batch = self._batcher([record])
        with torch.no_grad():
            direct = answer_distribution(model, batch)
            try:
                kept = answer_distribution(model, self([record], batch))
            except (TypeError, AttributeError) as error:
                raise TrainingError(
                    "this model takes no image features that were computed before",
                    expected="a model that computes the same from features as from pixels",
                    found=str(error)[:200],
                    remedy=REMEDY,
                ) from None
        if not torch.equal(direct, kept):
            raise TrainingError(
                "image features that were computed before change what the model computes",
                expected="equal log-probabilities of an answer",
                found=f"up to {float((direct - kept).abs().max()):.3g} nats apart",
                remedy=REMEDY,
            )

    def _computed(self, path: Path) -> list[Tensor]:
        inputs = self._batcher([self._asked[path]]).inputs
        compute = self._base.get_image_features
        given = {name: inputs[name] for name in signature(compute).parameters if name in inputs}
        with torch.no_grad():
            found = compute(**given, return_dict=True).pooler_output
        self._stacked = isinstance(found, Tensor)
        return [features.cpu() for features in found]


def _bytes(features: Sequence[Tensor]) -> int:
    return sum(tensor.nbytes for tensor in features)
