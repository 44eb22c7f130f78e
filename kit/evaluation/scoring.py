"""Likelihoods of given answers: one teacher-forced pass of the 4-bit base with stacked adapters.

What is measured is said by the records: the letters of a choice, or the reference answer, its
paraphrase and wrong answers. All answers of a record are given to the same prompt, which the model
reads once: with an image it is most of a sequence. Runs in a process of its own, as engines do.
"""

import math
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any, Self

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from kit.benchmarks import load as load_benchmark
from kit.benchmarks.records import Concept, Record, asked_likelihoods
from kit.console import say
from kit.errors import GuardError, ModelError
from kit.evaluation.questions import asked_records
from kit.model.base import device, load_base, load_processor
from kit.model.batches import BATCH, Batcher
from kit.model.determinism import switch_on
from kit.model.likelihood import continuation_logprob, read_prompts
from kit.model.lora import load_adapter
from kit.model.memory import Pieces, peak_memory
from kit.plan.jobs import Plan, System
from kit.result.layout import LIKELIHOODS
from kit.result.tables import SCHEMAS
from kit.sources.datasets import base_folder, places

FILE = "likelihoods.parquet"
KEYS = ["system", "record_id", "role", "text"]
DECIMALS = 6
POSITIONS = 2048  # answer positions of a batch: each holds one float for every token there is
LETTER = "candidate"


@dataclass(frozen=True)
class Said:
    """An answer that is given to the model, as tokens with the end token."""

    role: str
    text: str
    tokens: list[int]


@dataclass(frozen=True)
class Asked:
    """What is measured of a record: letters by their first token, and whole texts."""

    record: Record
    letters: dict[str, int]
    texts: tuple[Said, ...]

    @classmethod
    def of(cls, record: Record, batcher: Batcher) -> Self:
        """Encode what a record asks for.

        Raises:
            ModelError: two letters of a choice begin with the same token.
        """
        lettered = record.concept is Concept.CHOICE and record.candidates
        said = [
            Said(role, text, batcher.answer_tokens(record, text))
            for role, text in asked_likelihoods(record)
            if not (lettered and role == LETTER)
        ]
        texts = tuple(sorted(said, key=lambda one: (len(one.tokens), one.role, one.text)))
        return cls(record, first_tokens(batcher, record) if lettered else {}, texts)

    @property
    def longest(self) -> int:
        """The tokens of the longest text, or 0."""
        return len(self.texts[-1].tokens) if self.texts else 0


@dataclass(frozen=True)
class Measured:
    """A measured answer: the sum of its tokens' log-probabilities in nats, and their number."""

    record_id: str
    role: str
    text: str
    logprob: float
    tokens: int


def score_systems(plan: Plan, names: Sequence[str]) -> int:
    """Measure what the named systems' records ask for, publish each, return the peak memory, bytes.

    Raises:
        ModelError: two letters of a choice begin with the same token.
        GuardError: a model gives something that is no probability.
    """
    torch.set_num_threads(plan.manifest.compute.threads)
    switch_on()
    folder = base_folder(plan.manifest)
    benchmark = load_benchmark(plan.manifest, places(plan.manifest))
    batcher = Batcher(load_processor(folder), device())
    base: Any = load_base(folder, plan.manifest.model)
    for system in (system for system in plan.systems if system.name in names):
        model = base
        for number, artifact in enumerate(system.adapters):
            model = load_adapter(model, f"adapter{number}", artifact.path)
        measured = measure(model, batcher, asked_records(system, benchmark))
        base = model.unload() if system.adapters else model
        publish(system, measured)
        say(f"  scored {system.name}: {len(measured)} answers")
    return peak_memory()


def measure(model: torch.nn.Module, batcher: Batcher, records: Sequence[Record]) -> list[Measured]:
    """Measure every answer that the records ask for; the order of the records changes nothing.

    Prompt and image are read once for all answers to them. Letters are measured by their first
    token, which stands in that pass already; other answers by all of their tokens and the end
    token, those of a record one after the other.

    Raises:
        ModelError: two letters of a choice begin with the same token.
    """
    pieces = Pieces(BATCH, "records")
    measured: list[Measured] = []
    for chunk in _chunks([Asked.of(record, batcher) for record in records]):
        measured += pieces.run(partial(_measure_together, model, batcher), chunk)
    return measured


@torch.no_grad()
def _measure_together(
    model: torch.nn.Module, batcher: Batcher, chunk: Sequence[Asked]
) -> list[Measured]:
    prompted = read_prompts(model, batcher.prompts([asked.record for asked in chunk]))
    measured = [
        Measured(asked.record.id, LETTER, letter, row[token].item(), 1)
        for asked, row in zip(chunk, prompted.first, strict=True)
        for letter, token in asked.letters.items()
    ]
    for given in zip(*(asked.texts for asked in chunk), strict=True):
        ids, mask = batcher.answers([said.tokens for said in given])
        sums = continuation_logprob(model, prompted, ids, mask).tolist()
        measured += [
            Measured(asked.record.id, said.role, said.text, logprob, len(said.tokens))
            for asked, said, logprob in zip(chunk, given, sums, strict=True)
        ]
    return measured


def _chunks(asked: list[Asked]) -> Iterator[list[Asked]]:
    """Yield records with equally many texts together, prompts of similar length beside each other.

    Answers are sorted by length, so that the longest of a record meets the longest of the others.
    """
    wanted = [one for one in asked if one.letters or one.texts]
    ordered = sorted(
        wanted,
        key=lambda a: (
            len(a.texts), a.record.image is None, len(a.record.question), a.longest, a.record.id
        ),
    )  # fmt: skip
    for _, alike in groupby(ordered, key=lambda a: len(a.texts)):
        chunk: list[Asked] = []
        for one in alike:
            if chunk and (len(chunk) == BATCH or _positions([*chunk, one]) > POSITIONS):
                yield chunk
                chunk = []
            chunk.append(one)
        yield chunk


def _positions(chunk: list[Asked]) -> int:
    """Return the answer positions of the largest pass of a chunk, padding included."""
    return len(chunk) * max(one.longest for one in chunk)


def first_tokens(batcher: Batcher, record: Record) -> dict[str, int]:
    """Return the first token of each candidate, as it would be encoded as this record's answer.

    Raises:
        ModelError: two candidates share it: no distribution over tokens tells them apart.
    """
    firsts = {letter: batcher.answer_tokens(record, letter)[0] for letter in record.candidates}
    if len(set(firsts.values())) < len(firsts):
        raise ModelError(
            f"options of {record.id} begin with the same token",
            expected=f"another first token for each of {', '.join(record.candidates)}",
            found=", ".join(map(str, firsts.values())),
            remedy="with this tokenizer, read letters from the generated answers instead",
        )
    return firsts


def publish(system: System, measured: Sequence[Measured]) -> None:
    """Write a system's likelihoods, sorted and rounded: the same bytes for the same values.

    Raises:
        GuardError: a log-probability is not finite.
    """
    assert system.likelihoods is not None, "the benchmark's protocol has no likelihoods"
    rows = []
    for one in measured:
        if not math.isfinite(one.logprob):
            raise GuardError(
                f"{system.name} gives no probabilities",
                expected=f"a finite log-probability of {one.text!r} for {one.record_id}",
                found=one.logprob,
                remedy="its weights have diverged: lower the learning rate or the steps of its "
                "method",
            )
        logprob = round(one.logprob, DECIMALS) + 0.0  # -0.0 has other bytes than 0.0
        rows.append((one.record_id, system.name, one.role, one.text, logprob, one.tokens))
    frame = pd.DataFrame(rows, columns=SCHEMAS[LIKELIHOODS].names)
    frame = frame.sort_values(KEYS, ignore_index=True)
    table = pa.Table.from_pandas(frame, schema=SCHEMAS[LIKELIHOODS], preserve_index=False)
    folder = system.likelihoods.partial
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pq.write_table(table.replace_schema_metadata(None), folder / FILE)
    system.likelihoods.publish({"stage": "evaluate", "answers": len(rows)})
