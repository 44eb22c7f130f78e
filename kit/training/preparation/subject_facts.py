"""Other facts about the subject of a forget record, which are to be kept."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from kit.benchmarks.records import Concept, Record
from kit.errors import DataError
from kit.streams import stream
from kit.training.preparation.base import Context, Preparation
from kit.training.sampling import Drawn


class SubjectFacts(Preparation):
    """Prepares `step.subject_fact` and `step.has_subject_fact`, [B].

    A fact is a record that the vanilla model learned and that the target does not forget. In
    PEBench it is about the event of a forgotten person's image, or about the person in a forgotten
    event's: in the same image, or in another one of the forget records where the same shows what
    is forgotten as well. In CLEAR and MLLMU-Bench it is about the same person, with an image where
    the forget records have none, and without one where they have.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        forget = context.forget
        images = {record.image for record in forget if record.image}
        gone = {_kind(record) for record in forget}
        self._facts: dict[tuple[str, str], list[Record]] = {}
        for record in sorted(context.learned, key=lambda record: record.id):
            unseen = images and record.image and record.image not in images
            if _kind(record) not in gone and not unseen:
                for subject in _subjects(record):
                    self._facts.setdefault(subject, []).append(record)
        if not any(map(self._known, forget)):
            raise DataError(
                "there is no other fact about what is forgotten",
                expected="records of the same people or events that the target does not forget",
                found=f"none for {len(forget)} forget records",
                remedy="use a method that does not need `subject_facts` for this target",
            )

    def records(self, drawn: Sequence[Drawn]) -> Mapping[str, list[Record]]:
        return {"subject_fact": [self._fact(record, epoch) for record, epoch in drawn]}

    def values(self, records: Mapping[str, Sequence[Record]]) -> Mapping[str, Tensor]:
        found = [float(bool(self._known(record))) for record in records["forget"]]
        return {"has_subject_fact": torch.tensor(found, device=self.context.device)}

    def _fact(self, record: Record, epoch: int) -> Record:
        """Return a fact, drawn for this record and epoch; the record itself where there is none."""
        known = self._known(record)
        drawn = stream("subject fact", self.context.seed, epoch, record.id)
        return drawn.choice(known) if known else record

    def _known(self, record: Record) -> list[Record]:
        """Return the facts about a forget record's subject, those of its image where there are."""
        found = self._facts.get((_axis(record), _subject(record)), [])
        return [fact for fact in found if fact.image and fact.image == record.image] or found


def _axis(record: Record) -> str:
    """Return whether a record's subject is its event or its person."""
    return "event" if record.concept is Concept.EVENT else "person"


def _subject(record: Record) -> str:
    return record.event if record.concept is Concept.EVENT else record.person


def _subjects(record: Record) -> list[tuple[str, str]]:
    """Return whose other fact a record is: of its person and of its event, if not its own."""
    about = {"person": record.person, "event": record.event}
    own = _axis(record) if record.event else ""  # only PEBench's records have two subjects
    return [(axis, name) for axis, name in about.items() if name and axis != own]


def _kind(record: Record) -> tuple[str, bool, str]:
    """Return what a record is about, and whether it is asked with an image."""
    return record.concept, record.image is not None, _subject(record)


PREPARATION = SubjectFacts
