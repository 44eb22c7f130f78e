"""The forget questions, answered by a refusal."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from kit.benchmarks.records import Record
from kit.experiment.refusals import REFUSALS
from kit.streams import stream
from kit.training.preparation.base import Preparation
from kit.training.sampling import Drawn


class Refusals(Preparation):
    """Prepares `step.refusal`."""

    def records(self, drawn: Sequence[Drawn]) -> Mapping[str, list[Record]]:
        seed = self.context.seed
        return {"refusal": [refused(record, epoch, seed) for record, epoch in drawn]}


def refused(record: Record, epoch: int, seed: int) -> Record:
    """Return the record with a refusal as its answer, drawn for this epoch."""
    return replace(record, answer=stream("refusal", seed, epoch, record.id).choice(REFUSALS))


PREPARATION = Refusals
