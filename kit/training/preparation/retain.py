"""A retain record beside each forget record."""

from collections.abc import Mapping, Sequence

from kit.benchmarks.records import Record
from kit.streams import stream
from kit.training.preparation.base import Preparation
from kit.training.sampling import Drawn


class Retain(Preparation):
    """Prepares `step.retain`."""

    def records(self, drawn: Sequence[Drawn]) -> Mapping[str, list[Record]]:
        retain, seed = self.context.retain, self.context.seed
        return {"retain": [partner(record, epoch, retain, seed) for record, epoch in drawn]}


def partner(record: Record, epoch: int, retain: Sequence[Record], seed: int) -> Record:
    """Return the retain record that accompanies a forget record in this epoch."""
    return retain[stream("partner", seed, epoch, record.id).randrange(len(retain))]


PREPARATION = Retain
