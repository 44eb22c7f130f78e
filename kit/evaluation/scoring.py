"""Log-likelihoods of given answers: the 4-bit base with stacked adapters, teacher-forced.

Each record names the answers to score: the letters of a choice, or the reference answer, its
paraphrase and wrong answers. They all follow the same prompt. The model reads it once, because a
prompt with an image is most of a sequence.
"""

from collections.abc import Sequence
from functools import partial

import torch
from transformers import PreTrainedModel

from kit.benchmarks import load as load_benchmark
from kit.benchmarks.records import Benchmark, Record, asked_likelihoods, asked_tokens
from kit.console import say
from kit.evaluation.peers import Peers
from kit.evaluation.questions import asked_records
from kit.evaluation.scored_answers import ScoredAnswer, TokenRow, publish
from kit.evaluation.scoring_tasks import LETTER, ScoringTask, chunks
from kit.failures import at
from kit.model import determinism
from kit.model.base import device, load_base, load_processor
from kit.model.batches import BATCH, Batcher
from kit.model.likelihood import (
    Prompted,
    continuation_distribution,
    continuation_logprob,
    read_prompts,
)
from kit.model.memory import HalvingBatches, peak_memory
from kit.model.token_statistics import token_statistics
from kit.plan.jobs import Plan
from kit.plan.systems import System
from kit.sources.datasets import base_folder, places


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
        peers = Peers.of(base, system, benchmark)
        with at(f"system {system.name}"):
            records = asked_records(system, benchmark)
            scored = score_records(peers.model, batcher, records, each_token=system.token_table)
            apart = peers.compare(batcher, records)
        base = peers.unloaded()
        publish(system, scored, apart)
        say(f"  scored {system.name}: {len(scored)} answers")


def score_records(
    model: torch.nn.Module,
    batcher: Batcher,
    records: Sequence[Record],
    *,
    each_token: bool = False,
) -> list[ScoredAnswer]:
    """Score every answer that the records name; the order of the records changes nothing.

    Prompt and image are read once. That pass also predicts the first token after the prompt, which
    scores all letters. The texts follow one after the other, with all of their tokens. With
    `each_token`, the references of all free answers are among them, and each of their tokens is
    described.

    Raises:
        ModelError: two letters of a choice begin with the same token.
    """
    batches = HalvingBatches(BATCH, "records")
    scored: list[ScoredAnswer] = []
    asked = asked_tokens if each_token else asked_likelihoods
    tasks = [ScoringTask.of(record, batcher, asked(record)) for record in records]
    for chunk in chunks(tasks):
        score = partial(_score_together, model, batcher, each_token=each_token)
        scored += batches.run(score, chunk)
    return scored


@torch.no_grad()
def _score_together(
    model: torch.nn.Module, batcher: Batcher, chunk: Sequence[ScoringTask], *, each_token: bool
) -> list[ScoredAnswer]:
    prompted = read_prompts(model, batcher.prompts([task.record for task in chunk]))
    scored = [
        ScoredAnswer(task.record.id, LETTER, letter, row[token].item(), 1)
        for task, row in zip(chunk, prompted.first, strict=True)
        for letter, token in task.letters.items()
    ]
    for column in zip(*(task.texts for task in chunk), strict=True):
        ids, mask = batcher.answers([given.tokens for given in column])
        rows: Sequence[TokenRow | None] = [None] * len(column)
        if each_token:
            sums, rows = _described(model, prompted, ids, mask)
        else:
            sums = continuation_logprob(model, prompted, ids, mask).tolist()
        scored += [
            ScoredAnswer(
                task.record.id, given.role, given.text, logprob, len(given.tokens), row,
                wanted=(given.role, given.text) in asked_likelihoods(task.record),
            )
            for task, given, logprob, row in zip(chunk, column, sums, rows, strict=True)
        ]  # fmt: skip
    return scored


def _described(
    model: torch.nn.Module, prompted: Prompted, ids: torch.Tensor, mask: torch.Tensor
) -> tuple[list[float], list[TokenRow]]:
    """Return log pi(y) of each answer, and its tokens; arguments as for `continuation_logprob`."""
    found = token_statistics(continuation_distribution(model, prompted, ids, mask), ids)
    sums = (found.logprob * mask).sum(dim=1).tolist()
    lengths = mask.sum(dim=1).tolist()
    columns = [each.tolist() for each in found]
    rows = [
        TokenRow(*(values[:length] for values in lists))
        for length, *lists in zip(lengths, *columns, strict=True)
    ]
    return sums, rows
