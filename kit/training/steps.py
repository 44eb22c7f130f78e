"""The steps of one job: records are drawn, and everything that the method needs is prepared."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor

from kit.benchmarks.records import Benchmark, Record
from kit.methods import Step
from kit.methods.loss import origin_of
from kit.methods.merging import adapters_of
from kit.methods.update import MEASURED
from kit.model.batches import Batch, Batcher
from kit.model.lora import without
from kit.model.side_by_side import alone
from kit.plan.attacks import RelearnJob
from kit.plan.jobs import Job
from kit.training.costs import Passes
from kit.training.longest import longest
from kit.training.prefetch import Prefetcher
from kit.training.preparation import preparation_of, prepared_needs
from kit.training.preparation.base import Context
from kit.training.sampling import Drawn, Draws, Mixed, Pool
from kit.training.vision import VisionFeatures

TRAINED = "trained"  # the name of the adapter under training
# Records of one pass of the reference on a GPU. It has no gradient and keeps no activations of
# earlier layers: an estimate of 1 GB for LLaVA 1.5 7B, against 6 GB for one record of a step.
TOGETHER = 8
LOOKED_AT = 64  # steps, in search of the longest records


class StepSource:
    """Prepares, for each step, exactly what a method declares in `needs`.

    Args:
        model: the base with all adapters of the job, `TRAINED` among them.
        rehearsal: share of general records in a fine-tuning batch, in [0, 1).
        vision: gives batches image features that were computed before; None: pixels.
    """

    def __init__(
        self,
        job: Job,
        model: PeftModel,
        benchmark: Benchmark,
        batcher: Batcher,
        tokenizer: Any,
        device: torch.device,
        rehearsal: float = 0.0,
        vision: VisionFeatures | None = None,
    ) -> None:
        self._job, self._model, self._batcher, self._vision = job, model, batcher, vision
        self._ahead = Prefetcher(batcher) if _prefetches(device) else None
        self._needs = job.method.needs
        names = adapters_of(job.method)
        self._alone = partial(alone, model, TRAINED, names) if names else nullcontext
        self.passes = Passes()
        forget, retain = _sets(job, benchmark)
        context = Context(
            self._needs, job.seed, forget, retain, batcher, tokenizer, model, TRAINED,
            self.passes, device, job.vanilla, _together(job, device), job.method,
            job.oracle, _records(benchmark, benchmark.finetune),
        )  # fmt: skip
        self._drawn_as = "forget" if self._needs.forget else "retain"
        needs = [n for n in prepared_needs(self._needs.declared()) if n != self._drawn_as]
        self._preparations = [preparation_of(need, context) for need in needs]
        for preparation in self._preparations:
            forget = preparation.choose(forget)
        self.forget_count = len(forget)
        self._draws: Draws = Pool(
            self._drawn_as, forget if self._needs.forget else retain, job.seed
        )
        if self._needs.forget:
            for preparation in self._preparations:
                self._draws = preparation.draw(forget, self._draws)
        elif rehearsal:
            general = _records(benchmark, benchmark.rehearsal)
            self._draws = Mixed(self._draws, Pool("rehearsal", general, job.seed), rehearsal)

    def steps(self, number: int, size: int) -> Iterator[Step]:
        """Yield the micro-batches of one optimisation step.

        Args:
            number: the step, from 0.
            size: records of a micro-batch.
        """
        if self._ahead:
            self._ahead.finish()
        drawn = self._drawn(number)
        for start in range(0, len(drawn), size):
            yield self._step(number, drawn[start : start + size])
        if self._ahead and number + 1 < self._job.settings.steps:
            together = self._records(self._drawn(number + 1))
            self._ahead.start([record for batch in together.values() for record in batch])

    def once(self, size: int) -> Iterator[Step]:
        """Yield micro-batches that hold each forget record once, and count their passes."""
        if self._ahead:
            self._ahead.finish()
        drawn = self._draws.take(0, self.forget_count)
        for start in range(0, len(drawn), size):
            yield (step := self._step(0, drawn[start : start + size]))
            self.passes.add(step.passes)

    def longest(self, size: int) -> Step:
        """Return a micro-batch of the job's longest records, to measure what memory it takes.

        Of long jobs, evenly spaced steps are looked at.
        """
        if self._ahead:
            self._ahead.finish()
        every = max(1, self._job.settings.steps // LOOKED_AT)
        numbers = range(0, self._job.settings.steps, every)
        draws = [drawn for number in numbers for drawn in self._drawn(number)]
        return self._step(0, longest(draws, self._beside, self._batcher.encode, size))

    def measured(self) -> Iterator[Step]:
        """Yield steps of one record each, in the order of the first epoch, to measure before it."""
        for drawn in self._draws.take(0, min(self.forget_count, MEASURED)):
            yield self._step(0, [drawn])

    def notes(self) -> dict[str, object]:
        """Return what the preparations add to the job's record."""
        return {name: note for each in self._preparations for name, note in each.notes().items()}

    def close(self) -> None:
        """End the thread that encodes ahead."""
        if self._ahead:
            self._ahead.close()

    def _drawn(self, number: int) -> list[Drawn]:
        return self._draws.take(number, self._job.settings.batch_size)

    def _beside(self, drawn: Drawn) -> list[Record]:
        """Return a drawn record and those that are computed beside it."""
        return [record for batch in self._records([drawn]).values() for record in batch]

    def _records(self, drawn: Sequence[Drawn]) -> dict[str, list[Record]]:
        """Return the records of each batch of a micro-batch."""
        records = {self._drawn_as: [record for record, _ in drawn]}
        for preparation in self._preparations:
            records |= preparation.records(drawn)
        return records

    def _batch(self, records: Sequence[Record]) -> Batch:
        batch = self._batcher(records)
        return self._vision(records, batch) if self._vision else batch

    def _step(self, number: int, drawn: Sequence[Drawn]) -> Step:
        records = self._records(drawn)
        prepared: dict[str, Batch | Tensor] = {n: self._batch(r) for n, r in records.items()}
        for preparation in self._preparations:
            prepared |= preparation.values(records)
        return Step(
            self._model,
            partial(without, self._model, TRAINED),
            self._needs,
            prepared,
            f"{origin_of(self._job.method)}, step {number + 1} of {self._job.name}",
            alone=self._alone,
        )


def _prefetches(device: torch.device) -> bool:
    """Return whether records are encoded ahead: on a CPU, no core is free for it."""
    return device.type == "cuda"


def _together(job: Job, device: torch.device) -> int:
    """Return how many records the reference computes at once: one where nothing may be padded."""
    return TOGETHER if device.type == "cuda" and job.settings.micro_batch_size != 1 else 1


def _sets(job: Job, benchmark: Benchmark) -> tuple[tuple[Record, ...], tuple[Record, ...]]:
    """Return the forget and retain records; the vanilla model learns all and forgets none."""
    if isinstance(job, RelearnJob):
        return (), _records(benchmark, job.records(benchmark))
    if job.target is None:
        return (), _records(benchmark, benchmark.finetune)
    split = benchmark.splits[job.target]
    return _records(benchmark, split.forget), _records(benchmark, split.retain)


def _records(benchmark: Benchmark, ids: Sequence[str]) -> tuple[Record, ...]:
    return tuple(benchmark.records[record_id] for record_id in ids)
