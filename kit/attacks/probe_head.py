"""Probe the decoder at a depth with a trained head: do its hidden states reveal the name?

A linear head is trained for each system on the state from which the answer's first token is
predicted, at the end of a layer. Its classes are all people (or events) of the benchmark, those to
be forgotten among them; it answers with the answer of a class. It is trained on a few records of
each class, and they are not asked. Open-MMunlearning trains a new output head of a truncated
decoder on the forget set and has no control. Here, Retain-only's head is trained in the same way:
what pictures alone teach a head is subtracted. A softmax regression of one record of each class
instead of an output head is the kit's own: it teaches less.
"""

from dataclasses import dataclass
from typing import ClassVar

from kit.attacks.attack import Around, Attack, subject_of
from kit.benchmarks.records import Concept, Record
from kit.experiment.options import COUNT, POSITIVE, require
from kit.streams import shuffled

PROBED = (Concept.PERSON, Concept.EVENT)  # their answers name a class


@dataclass(frozen=True)
class ProbeHead(Attack):
    """A softmax regression on hidden states; the same for every system, and without any draw."""

    unit: ClassVar[str] = "share of the layers below the head, rounded"
    least: ClassVar[float] = 0.05
    most: ClassVar[float] = 1.0

    records: int = 1
    """Records of each person (or event) that the head is trained on, >= 1."""
    decay: float = 0.01
    """Of the squared weights in the loss, > 0."""

    def __post_init__(self) -> None:
        """Check the options."""
        require(self, records=COUNT, decay=POSITIVE)

    def trained(self, concept: Concept, around: Around) -> list[Record]:
        """Return the records that the head of a concept is trained on, the same at every level."""
        known = around.benchmark.records
        ids = sorted({*around.split.forget, *around.split.retain})
        drawn: dict[str, list[Record]] = {}
        for name in shuffled(ids, "attack", around.entry, around.target):
            record = known[name]
            if record.concept is concept and subject_of(record):
                drawn.setdefault(subject_of(record), []).append(record)
        return [each for own in drawn.values() for each in own[: self.records]]

    def applies(self, record: Record, level: float, around: Around) -> bool:
        """Return whether a record names a class of the head, and the head has not seen it."""
        if record.concept not in PROBED:
            return False
        trained = self.trained(record.concept, around)
        subjects = {subject_of(each) for each in trained}
        return subject_of(record) in subjects and all(each.id != record.id for each in trained)


ATTACK = ProbeHead
