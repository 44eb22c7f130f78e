"""Answers that have nothing to do with the forget questions, K for each."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from kit.benchmarks.records import Record
from kit.benchmarks.words import words
from kit.errors import DataError
from kit.streams import stream
from kit.training.preparation.base import Context, Preparation
from kit.training.sampling import Drawn


class RandomAnswers(Preparation):
    """Prepares `step.random_answers`: K batches, K being the method's option `answers`.

    The answers are those of retain records to any question, never the record's own. They differ in
    their words.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._count: int = getattr(context.method, "answers", 1)
        different = {tuple(words(r.answer)): r.answer for r in reversed(_sorted(context.retain))}
        self._answers = sorted(different.values())
        if len(self._answers) <= self._count:
            raise DataError(
                "there are too few answers to draw random ones from",
                expected=f"more than {self._count} different answers of retain records",
                found=len(self._answers),
                remedy="lower `answers` in the options of the method",
            )

    def records(self, drawn: Sequence[Drawn]) -> Mapping[str, list[Record]]:
        chosen = [(record, self._chosen(record, epoch)) for record, epoch in drawn]
        return {
            f"random_{k}": [replace(record, answer=answers[k]) for record, answers in chosen]
            for k in range(self._count)
        }

    def _chosen(self, record: Record, epoch: int) -> list[str]:
        """Return K answers, drawn for this record and epoch."""
        drawn = stream("random answers", self.context.seed, epoch, record.id)
        some = drawn.sample(self._answers, self._count + 1)  # one of them may be its own
        return [answer for answer in some if words(answer) != words(record.answer)][: self._count]


def _sorted(records: Sequence[Record]) -> list[Record]:
    return sorted(records, key=lambda record: record.answer)


PREPARATION = RandomAnswers
