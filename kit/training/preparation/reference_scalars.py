"""log pi_0(y) of forget answers and of refusals: one forward pass per answer in a whole run."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from kit.benchmarks.records import Record
from kit.model.likelihood import answer_distribution, sequence_logprob
from kit.model.lora import without
from kit.training.preparation.base import Preparation

ANSWERS = ("forget", "refusal")  # the batches whose answers have reference scalars


class ReferenceScalars(Preparation):
    """Prepares `step.forget_reference` and, with refusals, `step.refusal_reference`, [B]."""

    def values(self, records: Mapping[str, Sequence[Record]]) -> Mapping[str, Tensor]:
        names = [name for name in ANSWERS if name in records]
        return {f"{name}_reference": self._logprobs(records[name]) for name in names}

    def _logprobs(self, records: Sequence[Record]) -> Tensor:
        """Return log pi_0(y) of each record's answer, in nats, [B]; each is computed once.

        Each record is computed alone: the last bits depend on the other records of a batch, and a
        resumed run computes the missing values in other batches than the first run did.
        """
        scalars = self.context.passes.scalars
        for record in records:
            if (record.id, record.answer) not in scalars:
                batch = self.context.batcher([record])
                with without(self.context.model, self.context.adapter):
                    distribution = answer_distribution(self.context.model, batch)
                    value = sequence_logprob(distribution, batch)
                scalars[record.id, record.answer] = value.item()
        values = [scalars[record.id, record.answer] for record in records]
        return torch.tensor(values, device=self.context.device)


PREPARATION = ReferenceScalars
