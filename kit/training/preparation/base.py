"""What a preparation gets, and what it may contribute to a training step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor

from kit.artifacts import Artifact
from kit.benchmarks.records import Record
from kit.methods import Method, Needs
from kit.model.batches import Batcher
from kit.training.costs import Passes
from kit.training.sampling import Drawn, Draws


@dataclass(frozen=True)
class Context:
    """One job's records, model and tokenizer.

    `forget` and `retain` are the records of the job's target; a preparation may choose among the
    forget records (`Preparation.choose`).
    """

    needs: Needs
    seed: int
    forget: tuple[Record, ...]
    retain: tuple[Record, ...]
    batcher: Batcher
    tokenizer: Any
    model: PeftModel
    adapter: str
    """The trained adapter; the reference is the model without it."""
    passes: Passes
    device: torch.device
    vanilla: Artifact | None = None
    """The adapter that unlearning starts from; it decides the reference."""
    together: int = 1
    """How many records the reference computes in one batch."""
    method: Method | None = None
    """For needs whose extent is one of the method's options."""
    oracle: Artifact | None = None
    """The retain-only adapter of the job's target, where a need asks for it."""
    learned: tuple[Record, ...] = ()
    """What the vanilla model was trained on, general records apart."""


class Preparation:
    """Prepares one need. The defaults prepare nothing; a subclass overrides what it is about."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def choose(self, forget: tuple[Record, ...]) -> tuple[Record, ...]:
        """Return the forget records to train with."""
        return forget

    def draw(self, forget: tuple[Record, ...], draws: Draws) -> Draws:
        """Return how forget records are drawn, instead of by `draws`."""
        return draws

    def records(self, drawn: Sequence[Drawn]) -> Mapping[str, list[Record]]:
        """Return records beside the drawn ones, by the name of the batch that they become."""
        return {}

    def notes(self) -> Mapping[str, object]:
        """Return what the job's record says of the preparation, as JSON."""
        return {}

    def values(self, records: Mapping[str, Sequence[Record]]) -> Mapping[str, Tensor]:
        """Return tensors about the records of a micro-batch, by the names that losses use."""
        return {}
