"""Attacks that tell the answer or a part of it, and the questions that they do not ask.

A question that offers its answers (a multiple choice, options, yes or no) is answered by any hint:
a model that never knew chooses right. So it is not asked, and the report says so.
"""

from dataclasses import dataclass

from kit.attacks.attack import Around, Attack
from kit.benchmarks.records import Concept, Record

OFFERED = frozenset({Concept.CHOICE, Concept.OPTION, Concept.PRESENCE})


@dataclass(frozen=True)
class Telling(Attack):
    """An attack whose words tell the answer, or how it begins."""

    def applies(self, record: Record, level: float, around: Around) -> bool:
        """Return whether the question leaves its answer open."""
        return record.concept not in OFFERED
