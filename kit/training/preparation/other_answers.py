"""The forget questions, answered as for another, retained person or event: random labels."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from kit.benchmarks.records import Record
from kit.benchmarks.words import words
from kit.errors import DataError
from kit.streams import stream
from kit.training.preparation.base import Context, Preparation
from kit.training.sampling import Drawn

K = TypeVar("K", bound=Hashable)


class OtherAnswers(Preparation):
    """Prepares `step.other`.

    The other answer is one that a retain record gives to the same question. Where none does (the
    question names the person), it is one to another question about the same concept.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._to_question = _answers(((r.concept, r.question), r.answer) for r in context.retain)
        self._to_concept = _answers((r.concept, r.answer) for r in context.retain)

    def records(self, drawn: Sequence[Drawn]) -> Mapping[str, list[Record]]:
        return {"other": [self._other(record, epoch) for record, epoch in drawn]}

    def _other(self, record: Record, epoch: int) -> Record:
        """Return the record with another answer, drawn for this epoch.

        Raises:
            DataError: all retain records of its concept have its own answer.
        """
        same = self._to_question.get((record.concept, record.question), [])
        given = _others(same, record) or _others(self._to_concept.get(record.concept, []), record)
        if not given:
            raise DataError(
                f"no retain record has another answer than the forget record {record.id}",
                expected=f"answers of kind '{record.concept}' other than {record.answer!r}",
                found="none",
                remedy="use a method that does not need `other_answers` for this target",
            )
        drawn = stream("other answer", self.context.seed, epoch, record.id)
        return replace(record, answer=drawn.choice(given))


def _answers(pairs: Iterable[tuple[K, str]]) -> dict[K, list[str]]:
    """Return the different answers by key, sorted: their order in the data decides nothing."""
    found: dict[K, set[str]] = {}
    for key, answer in pairs:
        found.setdefault(key, set()).add(answer)
    return {key: sorted(answers) for key, answers in found.items()}


def _others(answers: Sequence[str], record: Record) -> list[str]:
    """Return the answers that are not the record's own, whatever their case and punctuation."""
    return [answer for answer in answers if words(answer) != words(record.answer)]


PREPARATION = OtherAnswers
