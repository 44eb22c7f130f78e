"""Log-likelihoods of given answers: the 4-bit base with stacked adapters, teacher-forced.

Each record names the answers to score: the letters of a choice, or the reference answer, its
paraphrase and wrong answers. They all follow the same prompt. The model reads it once, because a
prompt with an image is most of a sequence.
"""

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from transformers import PreTrainedModel

from kit.benchmarks import load as load_benchmark
from kit.benchmarks.records import Benchmark, Record
from kit.console import say
from kit.errors import GuardError
from kit.evaluation.questions import asked_records
from kit.evaluation.scoring_tasks import LETTER, ScoringTask, chunks
from kit.failures import at
from kit.model import determinism
from kit.model.base import device, load_base, load_processor
from kit.model.batches import BATCH, Batcher
from kit.model.likelihood import continuation_logprob, read_prompts
from kit.model.lora import load_adapter
from kit.model.memory import HalvingBatches, peak_memory
from kit.plan.jobs import Plan, System
from kit.result.layout import LIKELIHOODS
from kit.result.tables import SCHEMAS
from kit.sources.datasets import base_folder, places

FILE = "likelihoods.parquet"
KEYS = ["system", "record_id", "role", "text"]
DECIMALS = 6


@dataclass(frozen=True)
class ScoredAnswer:
    """A scored answer: the sum of its tokens' log-probabilities in nats, and their number."""

    record_id: str
    role: str
    text: str
    logprob: float
    tokens: int


def score_systems(plan: Plan, names: Sequence[str]) -> int:
    """Score the answers of the named systems' records, publish each, return the peak memory, bytes.

    Runs in a process of its own: it sets threads and determinism for the whole process.

    Raises:
        ModelError: two letters of a choice begin with the same token.
        GuardError: a log-probability is not finite.
    """
    torch.set_num_threads(plan.manifest.compute.threads)
    determinism.enable()
    systems = [system for system in plan.systems if system.name in names]
    benchmark = load_benchmark(plan.manifest, places(plan.manifest))
    folder = base_folder(plan.manifest)
    batcher = Batcher(load_processor(folder, plan.manifest.model), device())
    score_each(systems, load_base(folder, plan.manifest.model), batcher, benchmark)
    return peak_memory()


def score_each(
    systems: Sequence[System], base: PreTrainedModel, batcher: Batcher, benchmark: Benchmark
) -> None:
    """Score one system after the other, with its adapters stacked on the base; publish each.

    Raises:
        ModelError, GuardError: as in `score_systems`.
    """
    for system in systems:
        model: Any = base
        for number, artifact in enumerate(system.adapters):
            model = load_adapter(model, f"adapter{number}", artifact.path)
        with at(f"system {system.name}"):
            scored = score_records(model, batcher, asked_records(system, benchmark))
        if system.adapters:
            base = model.unload()
        publish(system, scored)
        say(f"  scored {system.name}: {len(scored)} answers")


def score_records(
    model: torch.nn.Module, batcher: Batcher, records: Sequence[Record]
) -> list[ScoredAnswer]:
    """Score every answer that the records name; the order of the records changes nothing.

    Prompt and image are read once. That pass also predicts the first token after the prompt, which
    scores all letters. The texts follow one after the other, with all of their tokens.

    Raises:
        ModelError: two letters of a choice begin with the same token.
    """
    batches = HalvingBatches(BATCH, "records")
    scored: list[ScoredAnswer] = []
    for chunk in chunks([ScoringTask.of(record, batcher) for record in records]):
        scored += batches.run(partial(_score_together, model, batcher), chunk)
    return scored


@torch.no_grad()
def _score_together(
    model: torch.nn.Module, batcher: Batcher, chunk: Sequence[ScoringTask]
) -> list[ScoredAnswer]:
    prompted = read_prompts(model, batcher.prompts([task.record for task in chunk]))
    scored = [
        ScoredAnswer(task.record.id, LETTER, letter, row[token].item(), 1)
        for task, row in zip(chunk, prompted.first, strict=True)
        for letter, token in task.letters.items()
    ]
    for column in zip(*(task.texts for task in chunk), strict=True):
        ids, mask = batcher.answers([given.tokens for given in column])
        sums = continuation_logprob(model, prompted, ids, mask).tolist()
        scored += [
            ScoredAnswer(task.record.id, given.role, given.text, logprob, len(given.tokens))
            for task, given, logprob in zip(chunk, column, sums, strict=True)
        ]
    return scored


def publish(system: System, scored: Sequence[ScoredAnswer]) -> None:
    """Write a system's likelihoods, sorted and rounded: equal values give equal bytes.

    Raises:
        GuardError: a log-probability is not finite.
    """
    assert system.likelihoods is not None, "the benchmark's protocol has no likelihoods"
    rows = []
    for answer in scored:
        if not math.isfinite(answer.logprob):
            raise GuardError(
                f"{system.name} gives no probabilities",
                expected=f"a finite log-probability of {answer.text!r} for {answer.record_id}",
                found=answer.logprob,
                remedy="its weights have diverged: lower the learning rate or the number of steps "
                "of its method",
            )
        logprob = round(answer.logprob, DECIMALS) + 0.0  # turns -0.0, which has other bytes, to 0.0
        rows.append(
            (answer.record_id, system.name, answer.role, answer.text, logprob, answer.tokens)
        )
    frame = pd.DataFrame(rows, columns=SCHEMAS[LIKELIHOODS].names)
    frame = frame.sort_values(KEYS, ignore_index=True)
    table = pa.Table.from_pandas(frame, schema=SCHEMAS[LIKELIHOODS], preserve_index=False)
    folder = system.likelihoods.partial
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pq.write_table(table.replace_schema_metadata(None), folder / FILE)
    system.likelihoods.publish({"stage": "evaluate", "answers": len(rows)})
