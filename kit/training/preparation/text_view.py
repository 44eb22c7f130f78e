"""The records of a step without their images: what the language model knows by text alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from kit.benchmarks.records import Record
from kit.training.preparation.base import Preparation
from kit.training.preparation.refusals import refused
from kit.training.preparation.retain import partner
from kit.training.sampling import Drawn


class TextView(Preparation):
    """Prepares `step.text`; `step.retain_text` and `step.refusal_text` where these are needed."""

    def records(self, drawn: Sequence[Drawn]) -> Mapping[str, list[Record]]:
        views = {"text": [replace(record, image=None) for record, _ in drawn]}
        if self.context.needs.retain:
            retain, seed = self.context.retain, self.context.seed
            partners = [partner(record, epoch, retain, seed) for record, epoch in drawn]
            views["retain_text"] = [replace(record, image=None) for record in partners]
        if self.context.needs.refusals:
            refusals = [refused(record, epoch, self.context.seed) for record, epoch in drawn]
            views["refusal_text"] = [replace(record, image=None) for record in refusals]
        return views


PREPARATION = TextView
