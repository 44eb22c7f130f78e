"""Likelihoods of given answers: one teacher-forced pass of the 4-bit base with stacked adapters.

What is measured is said by the records: the letters of a choice, or the reference answer, its
paraphrase and wrong answers. All answers of a record are given to the same question, and where they
stand in a sequence is decided by `kit.batches` alone. Runs in a process of its own, as engines do.
"""

import math
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from kit.batches import Batch, Batcher
from kit.benchmarks import load as load_benchmark
from kit.datasets import base_folder, places
from kit.engines.transformers import BATCH
from kit.errors import GuardError, ModelError
from kit.likelihood import answer_distribution, sequence_logprob
from kit.models import device, load_adapter, load_base, load_processor
from kit.plan import Plan, System
from kit.questions import asked_records
from kit.records import Concept, Record, asked_likelihoods
from kit.tables import LIKELIHOODS, SCHEMAS
from kit.training import peak_memory

FILE = "likelihoods.parquet"
KEYS = ["system", "record_id", "role", "text"]
DECIMALS = 6
POSITIONS = 2048  # answer positions of a batch: each holds one float for every token there is
KEPT = 2 * BATCH  # encoded prompts; one with a large image is some MB
LETTER = "candidate"


@dataclass(frozen=True)
class Given:
    """An answer that is given to the model: `record.answer`, to `record.question`."""

    role: str
    record: Record


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
    folder = base_folder(plan.manifest)
    benchmark = load_benchmark(plan.manifest, places(plan.manifest))
    batcher = Batcher(load_processor(folder), device(), kept=KEPT)
    base: Any = load_base(folder, plan.manifest.model)
    for system in (system for system in plan.systems if system.name in names):
        model = base
        for number, artifact in enumerate(system.adapters):
            model = load_adapter(model, f"adapter{number}", artifact.path)
        measured = measure(model, batcher, asked_records(system, benchmark))
        base = model.unload() if system.adapters else model
        publish(system, measured)
        print(f"  scored {system.name}: {len(measured)} answers", file=sys.stderr, flush=True)
    return peak_memory()


def measure(model: torch.nn.Module, batcher: Batcher, records: Sequence[Record]) -> list[Measured]:
    """Measure every answer that the records ask for; the order of the records changes nothing.

    Letters are measured by their first token, all of a record in one forward pass; other answers
    by all of their tokens and the end token.

    Raises:
        ModelError: two letters of a choice begin with the same token.
    """
    choices, texts = [], []
    for record in records:
        lettered = record.concept is Concept.CHOICE and record.candidates
        if lettered:
            # Whichever letter is given: what is read is predicted before it.
            choices.append(Given(LETTER, replace(record, answer=record.candidates[0])))
        texts += [
            Given(role, replace(record, answer=text))
            for role, text in asked_likelihoods(record)
            if not (lettered and role == LETTER)
        ]
    measured: list[Measured] = []
    with torch.no_grad():
        for score, given in ((_letters, choices), (_texts, texts)):
            for chunk in _chunks(given):
                measured += _split(score, model, batcher, chunk)
    return measured


def _chunks(given: list[Given]) -> Iterator[list[Given]]:
    """Yield answers of similar length together; those of one record share its encoded image."""
    longest: dict[str, int] = {}
    for answer in given:
        said = len(answer.record.question) + len(answer.record.answer)
        longest[answer.record.id] = max(said, longest.get(answer.record.id, 0))
    ordered = sorted(
        given,
        key=lambda a: (
            a.record.image is None, longest[a.record.id], a.record.id, a.role, a.record.answer
        ),
    )  # fmt: skip
    for start in range(0, len(ordered), BATCH):
        yield ordered[start : start + BATCH]


Score = Callable[[Tensor, Batch, Batcher, list[Given]], list[Measured]]


def _split(
    score: Score, model: torch.nn.Module, batcher: Batcher, given: list[Given]
) -> list[Measured]:
    """Score answers in one batch, or in halves where their distributions would take much memory."""
    batch = batcher([answer.record for answer in given])
    if batch.answer_ids.numel() > POSITIONS and len(given) > 1:
        half = len(given) // 2
        parts = (given[:half], given[half:])
        return [one for part in parts for one in _split(score, model, batcher, part)]
    return score(answer_distribution(model, batch), batch, batcher, given)


def _texts(
    distribution: Tensor, batch: Batch, batcher: Batcher, given: list[Given]
) -> list[Measured]:
    sums = sequence_logprob(distribution, batch).tolist()
    tokens = batch.answer_mask.sum(dim=1).int().tolist()
    return [
        Measured(answer.record.id, answer.role, answer.record.answer, logprob, count)
        for answer, logprob, count in zip(given, sums, tokens, strict=True)
    ]


def _letters(
    distribution: Tensor, batch: Batch, batcher: Batcher, given: list[Given]
) -> list[Measured]:
    rows = torch.arange(len(given), device=distribution.device)
    firsts = distribution[rows, _starts(batch)]
    return [
        Measured(answer.record.id, LETTER, letter, firsts[row, token].item(), 1)
        for row, answer in enumerate(given)
        for letter, token in first_tokens(batcher, answer.record).items()
    ]


def first_tokens(batcher: Batcher, record: Record) -> dict[str, int]:
    """Return the first token of each candidate, as it would be encoded as this record's answer.

    Raises:
        ModelError: two candidates share it: no distribution over tokens tells them apart.
    """
    batch = batcher([replace(record, answer=letter) for letter in record.candidates])
    ids = batch.answer_ids.gather(1, _starts(batch).unsqueeze(1)).squeeze(1).tolist()
    if len(set(ids)) < len(set(record.candidates)):
        raise ModelError(
            f"options of {record.id} begin with the same token",
            expected=f"another first token for each of {', '.join(record.candidates)}",
            found=", ".join(map(str, ids)),
            remedy="with this tokenizer, read letters from the generated answers instead",
        )
    return dict(zip(record.candidates, ids, strict=True))


def _starts(batch: Batch) -> Tensor:
    """Return [B], where each answer begins: answers are right-aligned and without gaps."""
    return batch.answer_mask.shape[1] - batch.answer_mask.sum(dim=1).long()


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
