"""Plausible other answers to the forget questions, given by the vanilla model itself.

The vanilla model is asked once, greedily, without the image: with it, the model would speak of the
person that it sees. It reads the question and the answer, and is told to give another one. A base
that follows no instruction may say nothing, or the answer again. Then the alternate is the answer
that a retain record gives to the same question (`other_answers`), drawn for the record alone.

What the model says is in one file of the cache for all methods and seeds that start from the same
vanilla adapter and forget the same records. The record of each job (job.json) has the alternates,
and which of them are of retain records. Asking is not counted among a job's passes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kit.benchmarks.records import Record
from kit.benchmarks.words import contains_phrase, words
from kit.model.decoding import ends_of, greedy, use_only
from kit.model.lora import without
from kit.training.preparation.base import Context, Preparation
from kit.training.preparation.other_answers import OtherAnswers
from kit.training.sampling import Drawn
from kit.training.shared_scalars import SharedValues, path_of

ASKED = (
    'Question: "{question}" A first answer was: "{answer}" Now answer the question in another way: '
    "change every fact, and stay as plausible as the first answer. Give the new answer alone."
)
MAX_NEW_TOKENS = 64


class Alternates(Preparation):
    """Prepares `step.alternate`."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        shared = SharedValues(path_of(context.vanilla, context.forget, 1, "alternates"), str)
        self._others = OtherAnswers(replace(context, seed=0))
        self._alternates: dict[str, str] = {}
        self._replaced: list[str] = []
        for record in context.forget:
            self._alternates[record.id] = self._alternate(record, self._said(record, shared))

    def records(self, drawn: Sequence[Drawn]) -> Mapping[str, list[Record]]:
        return {"alternate": [self.alternate(record) for record, _ in drawn]}

    def notes(self) -> Mapping[str, object]:
        return {"alternates": self._alternates, "alternates_of_retain_records": self._replaced}

    def alternate(self, record: Record) -> Record:
        """Return the record with its alternate as the answer."""
        return replace(record, answer=self._alternates[record.id])

    def _alternate(self, record: Record, said: str) -> str:
        """Return what the model said, or a retain record's answer where that is nothing new."""
        if words(said) and not contains_phrase(said, record.answer):
            return said
        self._replaced.append(record.id)
        return self._others.records([(record, 0)])["other"][0].answer

    def _said(self, record: Record, shared: SharedValues[str]) -> str:
        key = record.id, record.answer
        if shared.get(key) is None:
            shared.add({key: self._asked(record)})
        said = shared.get(key)
        assert said is not None, "it has just been stored"
        return said

    def _asked(self, record: Record) -> str:
        """Return what the vanilla model says when it is asked for another answer."""
        context = self.context
        question = ASKED.format(question=record.question, answer=record.answer)
        inputs = context.batcher.prompts([replace(record, question=question, image=None)]).inputs
        end = context.batcher.answer_tokens(record, record.answer)[-1]
        settings = greedy([end], end, MAX_NEW_TOKENS)
        model: Any = context.model  # `generate` has no types
        base = model.get_base_model()
        own = base.generation_config
        use_only(base, ends_of(base))
        try:
            with without(model, context.adapter):
                whole = model.generate(**inputs, generation_config=settings)
        finally:
            base.generation_config = own
        ids = whole[0, inputs["input_ids"].shape[1] :]
        return str(context.tokenizer.decode(ids, skip_special_tokens=True)).strip()


PREPARATION = Alternates
