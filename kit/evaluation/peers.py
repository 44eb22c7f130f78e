"""A system's model, and the Retain-only models that its distributions are held against.

Their adapters lie on one base, and are switched on in turns.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import torch
from transformers import PreTrainedModel

from kit.benchmarks.records import Benchmark, Record, asked_tokens
from kit.evaluation.scored_answers import Distances
from kit.evaluation.scoring_tasks import ScoringTask, chunks
from kit.methods.merger_file import merge_in
from kit.model.batches import BATCH, Batcher
from kit.model.likelihood import answer_distribution
from kit.model.lora import activate, load_adapter
from kit.model.memory import HalvingBatches
from kit.model.token_statistics import apart
from kit.plan.systems import System


@dataclass(frozen=True)
class Peers:
    """A model with the adapters of one system switched on; `references` are beside them.

    `references` holds, by the name of a Retain-only model, its adapters and the records of its
    target.
    """

    model: Any
    own: list[str]
    references: Mapping[str, tuple[list[str], frozenset[str]]]

    @classmethod
    def of(cls, base: PreTrainedModel, system: System, benchmark: Benchmark) -> Self:
        """Load a system's adapters and those of its references onto the base."""
        model: Any = base
        own = [f"adapter{number}" for number in range(len(system.adapters))]
        for name, artifact in zip(own, system.adapters, strict=True):
            model = load_adapter(model, name, artifact.path, merge_in)
        references = {}
        for place, (reference, (target, artifacts)) in enumerate((system.references or {}).items()):
            names = [f"reference{place}-{number}" for number in range(len(artifacts))]
            for name, artifact in zip(names, artifacts, strict=True):
                model = load_adapter(model, name, artifact.path)
            references[reference] = names, _records_of(target, benchmark)
        if references:
            activate(model, own)
        return cls(model, own, references)

    def unloaded(self) -> PreTrainedModel:
        """Return the base without any adapter; the model cannot be used any more."""
        base: PreTrainedModel = self.model.unload() if self.own else self.model
        return base

    def compare(self, batcher: Batcher, records: Sequence[Record]) -> list[Distances]:
        """Return how far each reference answer's tokens are from every reference.

        Each model reads prompts and answers once, whole.
        """
        if not self.references:
            return []
        batches = HalvingBatches(BATCH, "records")
        tasks = [
            ScoringTask.of(record, batcher, {("answer", record.answer)})
            for record in records
            if asked_tokens(record)
        ]
        found: list[Distances] = []
        for chunk in chunks(tasks):
            found += batches.run(partial(self._compared, batcher), chunk)
        return found

    @torch.no_grad()
    def _compared(self, batcher: Batcher, chunk: Sequence[ScoringTask]) -> list[Distances]:
        found: list[Distances] = []
        for reference, (names, ids) in self.references.items():
            records = [task.record for task in chunk if task.record.id in ids]
            if records:
                found += self._held_against(reference, names, batcher, records)
        return found

    def _held_against(
        self, reference: str, names: list[str], batcher: Batcher, records: Sequence[Record]
    ) -> Iterator[Distances]:
        batch = batcher(records)
        own = answer_distribution(self.model, batch)
        activate(self.model, names)
        try:
            other = answer_distribution(self.model, batch)
        finally:
            activate(self.model, self.own)
        numbers = apart(own, other)
        lengths = batch.answer_mask.sum(dim=1).int().tolist()  # answers are right-aligned
        for row, (record, length) in enumerate(zip(records, lengths, strict=True)):
            listed = [each[row, -length:].tolist() for each in numbers]
            yield Distances(record.id, reference, *listed)


def _records_of(target: str | None, benchmark: Benchmark) -> frozenset[str]:
    targets = benchmark.splits if target is None else [target]
    return frozenset(
        name
        for each in targets
        for ids in benchmark.splits[each].evaluation.values()
        for name in ids
    )
