"""A judge reads what every system has answered: how likely is each of its replies?

The judge is another model than the base, pinned by its checksum list. Its prompt holds question,
reference and answer. Every reply that the manifest allows is scored as an answer to this prompt,
with its end token. Nothing is generated, so every answer has a number, and no reply has to be read
from prose. G-Eval (arXiv 2303.16634, section 2) weights scores by their probabilities as well.
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import torch

from kit.benchmarks import load as load_benchmark
from kit.benchmarks.records import Concept, Record, asked_tokens
from kit.console import say
from kit.evaluation.questions import records_of
from kit.evaluation.reading import Said, stored_answers
from kit.evaluation.system_table import publish_table, require_finite
from kit.experiment.judge import JudgeSection, filled
from kit.experiment.manifest import ModelSection
from kit.failures import at
from kit.model import determinism
from kit.model.base import device, load_base, load_processor
from kit.model.batches import BATCH, Batcher
from kit.model.likelihood import continuation_logprob, read_prompts
from kit.model.memory import HalvingBatches, peak_memory
from kit.plan.jobs import Plan
from kit.plan.systems import System
from kit.result.layout import JUDGED
from kit.sources.datasets import model_folder, places


class Judged(NamedTuple):
    """Log-probability of a reply to the prompt about one answer, in nats, with its end token."""

    record_id: str
    reply: str
    logprob: float


def judge_answers(plan: Plan, names: Sequence[str]) -> int:
    """Judge the named systems' answers, publish each, and return the peak memory, bytes.

    Runs in a process of its own: it sets threads and determinism for the whole process.

    Raises:
        GuardError: a log-probability is not finite.
    """
    section = plan.manifest.judge
    assert section is not None, "the manifest asks for it"
    torch.set_num_threads(plan.manifest.compute.threads)
    determinism.enable()
    benchmark = load_benchmark(plan.manifest, places(plan.manifest))
    folder = model_folder(section.source)
    model = load_base(folder, as_model(section))
    batcher = Batcher(load_processor(folder), device())
    for system in plan.systems:
        if system.name in names:
            with at(f"answers of {system.name}, judge"):
                records = records_of(system, benchmark)
                found = judge_texts(model, batcher, section, records, stored_answers(system))
            publish_judged(system, found)
            say(f"  judged {system.name}: {len(found) // len(section.replies)} answers")
    return peak_memory()


def as_model(section: JudgeSection) -> ModelSection:
    """Return how the judge is loaded: as a base without adapters."""
    return ModelSection(source=section.source, compute_dtype=section.compute_dtype)


def judge_texts(
    model: torch.nn.Module,
    batcher: Batcher,
    section: JudgeSection,
    records: Sequence[Record],
    said: Mapping[str, Said],
) -> list[Judged]:
    """Return how likely every reply is, for each answer in free text.

    Args:
        model: the judge.
        records: what was asked; letters, options and yes or no are not judged.
        said: the answers by record id.
    """
    prompts = [
        _prompt(each, said[each.id].text, section.prompt, batcher)
        for each in records
        if asked_tokens(each)
    ]
    ordered = sorted(prompts, key=lambda each: (len(each.question), each.id))
    batches = HalvingBatches(BATCH, "prompts")
    return list(batches.run(partial(_judged, model, batcher, sorted(section.replies)), ordered))


def _prompt(record: Record, answer: str, prompt: str, batcher: Batcher) -> Record:
    """Return the question to the judge; words that stand for an image there become blanks."""
    text = filled(prompt, record.question, record.answer, answer)
    for mark in batcher.media_marks:
        text = text.replace(mark, " ")
    return Record(record.id, Concept.FACT, text, "")


@torch.no_grad()
def _judged(
    model: torch.nn.Module, batcher: Batcher, replies: Sequence[str], prompts: Sequence[Record]
) -> list[Judged]:
    prompted = read_prompts(model, batcher.prompts(prompts))
    found = []
    for reply in replies:
        rows = [batcher.answer_tokens(each, reply) for each in prompts]
        ids, mask = batcher.answers(rows)
        sums = continuation_logprob(model, prompted, ids, mask).tolist()
        found += [
            Judged(each.id, reply, number) for each, number in zip(prompts, sums, strict=True)
        ]
    return found


def publish_judged(system: System, found: Sequence[Judged]) -> None:
    """Write the table of how likely the replies about a system's answers are.

    Raises:
        GuardError: a log-probability is not finite.
    """
    assert system.judged is not None, "the manifest asks for it"
    last = sorted(found, key=lambda each: not math.isfinite(each.logprob))
    require_finite("the judge", {each.record_id: each.logprob for each in last})
    rows = [(each.record_id, system.name, each.reply, each.logprob) for each in found]
    publish_table(rows, JUDGED, system.judged)
