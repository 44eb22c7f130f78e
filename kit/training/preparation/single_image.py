"""One image of each forgotten concept, and the tokens of the concepts' names."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from kit.benchmarks.records import Concept, Record
from kit.model.prompts import following
from kit.streams import stream
from kit.training.preparation.base import Preparation


class SingleImage(Preparation):
    """Chooses one record per concept and prepares `step.concept_tokens`, [V]."""

    def choose(self, forget: tuple[Record, ...]) -> tuple[Record, ...]:
        self._chosen = tuple(single_images(forget, self.context.seed))
        return self._chosen

    def values(self, records: Mapping[str, Sequence[Record]]) -> Mapping[str, Tensor]:
        return {"concept_tokens": self._concept_tokens}

    @cached_property
    def _concept_tokens(self) -> Tensor:
        config: Any = self.context.model.get_base_model().config
        vocabulary = int(config.get_text_config().vocab_size)
        mask = torch.zeros(vocabulary, dtype=torch.bool, device=self.context.device)
        for record in self._chosen:
            words = record.keywords if record.concept is Concept.EVENT else record.person.split()
            for word in words:
                mask[following(self.context.tokenizer, ".", f" {word}")] = True
        return mask


def single_images(records: Sequence[Record], seed: int) -> list[Record]:
    """Return one record of each forgotten concept, drawn by seed."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        subject = record.event if record.concept is Concept.EVENT else record.person
        groups.setdefault((record.concept, subject), []).append(record)
    return [
        stream("single image", seed, *key).choice(sorted(group, key=lambda r: r.id))
        for key, group in sorted(groups.items())
    ]


PREPARATION = SingleImage
