"""The steps of one job: records are drawn, and everything that the method needs is prepared."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor

from kit.benchmarks.records import Benchmark, Record
from kit.methods import Step
from kit.methods.loss import origin_of
from kit.model.batches import Batch, Batcher
from kit.model.lora import without
from kit.plan.jobs import Job
from kit.training.costs import Passes
from kit.training.preparation import preparation_of, prepared_needs
from kit.training.preparation.base import Context
from kit.training.sampling import Drawn, Draws, Mixed, Pool

TRAINED = "trained"  # the name of the adapter under training


class StepSource:
    """Prepares, for each step, exactly what a method declares in `needs`.

    Args:
        model: the base with all adapters of the job, `TRAINED` among them.
        rehearsal: share of general records in a fine-tuning batch, in [0, 1).
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
    ) -> None:
        self._job, self._model, self._batcher = job, model, batcher
        self._needs = job.method.needs
        self.passes = Passes()
        forget, retain = _sets(job, benchmark)
        context = Context(
            self._needs, job.seed, forget, retain, batcher, tokenizer, model, TRAINED,
            self.passes, device,
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
        drawn = self._draws.take(number, self._job.settings.batch_size)
        for start in range(0, len(drawn), size):
            yield self._step(number, drawn[start : start + size])

    def _step(self, number: int, drawn: Sequence[Drawn]) -> Step:
        records = {self._drawn_as: [record for record, _ in drawn]}
        for preparation in self._preparations:
            records |= preparation.records(drawn)
        prepared: dict[str, Batch | Tensor] = {n: self._batcher(r) for n, r in records.items()}
        for preparation in self._preparations:
            prepared |= preparation.values(records)
        return Step(
            self._model,
            partial(without, self._model, TRAINED),
            self._needs,
            prepared,
            f"{origin_of(self._job.method)}, step {number + 1} of {self._job.name}",
        )


def _sets(job: Job, benchmark: Benchmark) -> tuple[tuple[Record, ...], tuple[Record, ...]]:
    """Return the forget and retain records; the vanilla model learns all and forgets none."""
    if job.target is None:
        return (), _records(benchmark, benchmark.finetune)
    split = benchmark.splits[job.target]
    return _records(benchmark, split.forget), _records(benchmark, split.retain)


def _records(benchmark: Benchmark, ids: Sequence[str]) -> tuple[Record, ...]:
    return tuple(benchmark.records[record_id] for record_id in ids)
