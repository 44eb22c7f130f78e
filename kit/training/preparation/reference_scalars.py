"""log pi_0(y) of forget answers, refusals and alternates: one pass per answer, shared by jobs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from kit.benchmarks.records import Record
from kit.model.likelihood import answer_distribution, sequence_logprob
from kit.model.lora import without
from kit.training.preparation.base import Context, Preparation
from kit.training.shared_scalars import SharedScalars, path_of

ANSWERS = ("forget", "refusal", "alternate")  # the batches whose answers have reference scalars


class ReferenceScalars(Preparation):
    """Prepares `step.forget_reference`, [B], and those of refusals and alternates."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._own = {record.id: record.answer for record in context.forget}
        path = path_of(context.vanilla, context.forget, context.together)
        self._shared = SharedScalars(path)

    def values(self, records: Mapping[str, Sequence[Record]]) -> Mapping[str, Tensor]:
        names = [name for name in ANSWERS if name in records]
        return {f"{name}_reference": self._logprobs(name, records[name]) for name in names}

    def _logprobs(self, name: str, records: Sequence[Record]) -> Tensor:
        """Return log pi_0(y) of each record's answer, in nats, [B]."""
        scalars = self.context.passes.scalars
        for record in records:
            if (record.id, record.answer) not in scalars:
                scalars[record.id, record.answer] = self._logprob(name, record)
        values = [scalars[record.id, record.answer] for record in records]
        return torch.tensor(values, device=self.context.device)

    def _logprob(self, name: str, record: Record) -> float:
        """Return log pi_0(y) of one answer, in nats; it is computed where no job has done so."""
        answer = record.id, record.answer
        value = self._shared.get(answer)
        if value is None:
            self._shared.add(self._computed(self._group(name, record)))
            value = self._shared.get(answer)
        assert value is not None, "it has just been stored"
        return value

    def _group(self, name: str, record: Record) -> list[Record]:
        """Return the records that are computed together, which depend on no step and no order.

        The last bits of a value depend on the other records of its batch, and a resumed run or
        another job asks for the values in another order.
        """
        together = self.context.together
        if together == 1 or name == "alternate":
            return [record]
        place = list(self._own).index(record.id)
        start = place - place % together
        group = self.context.forget[start : start + together]
        if record.answer == self._own[record.id]:
            return list(group)
        return [replace(other, answer=record.answer) for other in group]  # one refusal to all

    def _computed(self, records: Sequence[Record]) -> dict[tuple[str, str], float]:
        batch = self.context.batcher(records)
        with without(self.context.model, self.context.adapter):
            distribution = answer_distribution(self.context.model, batch)
            values = sequence_logprob(distribution, batch).tolist()
        return {(r.id, r.answer): value for r, value in zip(records, values, strict=True)}


PREPARATION = ReferenceScalars
