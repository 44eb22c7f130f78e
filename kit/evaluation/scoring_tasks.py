"""What to score for each record, and which records share a pass of the model."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Self

from kit.benchmarks.records import Concept, Record
from kit.errors import ModelError
from kit.model.batches import BATCH, Batcher

MAX_POSITIONS = 2048  # answer positions per pass: each holds one float per vocabulary entry
LETTER = "candidate"


@dataclass(frozen=True)
class GivenText:
    """A text to score; `tokens` are those of the text and the end token."""

    role: str
    text: str
    tokens: list[int]


@dataclass(frozen=True)
class ScoringTask:
    """What to score for one record: letters (letter -> first token), and texts by length."""

    record: Record
    letters: dict[str, int]
    texts: tuple[GivenText, ...]

    @classmethod
    def of(cls, record: Record, batcher: Batcher, asked: Collection[tuple[str, str]]) -> Self:
        """Encode the answers of a record, (role, text) each.

        Raises:
            ModelError: two letters of a choice begin with the same token.
        """
        lettered = record.concept is Concept.CHOICE and record.candidates
        given = [
            GivenText(role, text, batcher.answer_tokens(record, text))
            for role, text in asked
            if not (lettered and role == LETTER)
        ]
        texts = tuple(sorted(given, key=lambda each: (len(each.tokens), each.role, each.text)))
        return cls(record, first_tokens(batcher, record) if lettered else {}, texts)

    @property
    def max_tokens(self) -> int:
        """The number of tokens of the longest text, or 0."""
        return len(self.texts[-1].tokens) if self.texts else 0


def chunks(tasks: list[ScoringTask]) -> Iterator[list[ScoringTask]]:
    """Yield tasks with equally many texts together, prompts of similar length side by side.

    Texts are sorted by length within a task, so the n-th longest meet in one pass.
    """
    ordered = sorted(
        (task for task in tasks if task.letters or task.texts),
        key=lambda task: (
            len(task.texts),
            task.record.image is None,
            len(task.record.question),
            task.max_tokens,
            task.record.id,
        ),
    )
    for _, alike in groupby(ordered, key=lambda task: len(task.texts)):
        chunk: list[ScoringTask] = []
        for task in alike:
            if chunk and (len(chunk) == BATCH or _positions([*chunk, task]) > MAX_POSITIONS):
                yield chunk
                chunk = []
            chunk.append(task)
        yield chunk


def _positions(chunk: list[ScoringTask]) -> int:
    """Return the answer positions of the largest pass of a chunk, padding included."""
    return len(chunk) * max(task.max_tokens for task in chunk)


def first_tokens(batcher: Batcher, record: Record) -> dict[str, int]:
    """Return the first token of each candidate, encoded as this record's answer.

    Raises:
        ModelError: two candidates share a first token, so its probability cannot separate them.
    """
    firsts = {letter: batcher.answer_tokens(record, letter)[0] for letter in record.candidates}
    if len(set(firsts.values())) < len(firsts):
        raise ModelError(
            f"options of {record.id} begin with the same token",
            expected=f"a different first token for each of {', '.join(record.candidates)}",
            found=", ".join(map(str, firsts.values())),
            remedy="with this tokenizer, read letters from the generated answers instead",
        )
    return firsts
