"""Log-probabilities of the forget answers under the retain-only model, shared by jobs."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from kit.benchmarks.records import Record
from kit.model.likelihood import answer_distribution, sequence_logprob
from kit.model.lora import activate, load_adapter, without
from kit.training.preparation.base import Context, Preparation
from kit.training.shared_scalars import SharedScalars, path_of

ORACLE = "retain_only"  # the name of its adapter, and a mark in the count of passes


class RetainOnlyScalars(Preparation):
    """Prepares `step.retain_only_reference`, [B].

    All answers are computed before the first step, so that the retain-only adapter is on the model
    no longer than that. Where a method is tried without any, the model without adapter takes its
    place.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._shared = SharedScalars(
            path_of(context.oracle, context.forget, 1, "retain_only_scalars")
        )
        left = [r for r in context.forget if self._shared.get((r.id, r.answer)) is None]
        if left:
            self._compute(left)
        marked = {(record.id, ORACLE): self._value(record) for record in context.forget}
        context.passes.scalars.update(marked)

    def values(self, records: Mapping[str, Sequence[Record]]) -> Mapping[str, Tensor]:
        found = [self._value(record) for record in records["forget"]]
        return {"retain_only_reference": torch.tensor(found, device=self.context.device)}

    def _value(self, record: Record) -> float:
        value = self._shared.get((record.id, record.answer))
        assert value is not None, "all are computed at the start"
        return value

    def _compute(self, records: Sequence[Record]) -> None:
        context, model = self.context, self.context.model
        if context.oracle is None:
            with without(model, context.adapter):
                self._shared.add({(r.id, r.answer): self._logprob(r) for r in records})
            return
        others = list(model.peft_config)
        with torch.random.fork_rng():  # a new adapter draws random weights before it is filled
            load_adapter(model, ORACLE, context.oracle.path)
        try:
            activate(model, [ORACLE])
            with torch.no_grad():
                self._shared.add({(r.id, r.answer): self._logprob(r) for r in records})
        finally:
            model.delete_adapter(ORACLE)
            activate(model, others, trainable=context.adapter)

    def _logprob(self, record: Record) -> float:
        batch = self.context.batcher([record])
        return float(sequence_logprob(answer_distribution(self.context.model, batch), batch))


PREPARATION = RetainOnlyScalars
