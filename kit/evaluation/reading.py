"""Vanilla reads what every system has answered: how likely does it find each answer?

A model whose training went too far answers in broken text, which Vanilla finds unlikely. It reads
the question of the record, without any system's instruction, and then the stored text. The text is
tokenised as for training, so that the stored answers suffice to repeat this.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import torch

from kit.benchmarks import load as load_benchmark
from kit.benchmarks.records import Record
from kit.console import say
from kit.evaluation.answers_file import read_columns
from kit.evaluation.peers import Peers
from kit.evaluation.questions import records_of
from kit.evaluation.system_table import publish_table, require_finite
from kit.experiment.systems import VANILLA
from kit.failures import at
from kit.model import determinism
from kit.model.base import device, load_base, load_processor
from kit.model.batches import BATCH, Batcher
from kit.model.likelihood import continuation_logprob, read_prompts
from kit.model.memory import HalvingBatches, peak_memory
from kit.plan.jobs import Plan
from kit.plan.systems import System
from kit.result.layout import READ_BY_VANILLA
from kit.sources.datasets import base_folder, places

MAX_POSITIONS = 2048  # answer positions per pass: each holds one float per vocabulary entry


class Said(NamedTuple):
    """A generated answer and whether it ended by itself."""

    text: str
    ended: bool


class Read(NamedTuple):
    """Log-probability of an answer, the sum over its tokens in nats, and their number."""

    record_id: str
    logprob: float
    tokens: int


def read_answers(plan: Plan, names: Sequence[str]) -> int:
    """Let Vanilla read the named systems' answers, publish each, return the peak memory, bytes.

    Runs in a process of its own: it sets threads and determinism for the whole process.

    Raises:
        GuardError: a log-probability is not finite.
    """
    torch.set_num_threads(plan.manifest.compute.threads)
    determinism.enable()
    benchmark = load_benchmark(plan.manifest, places(plan.manifest))
    folder = base_folder(plan.manifest)
    batcher = Batcher(load_processor(folder, plan.manifest.model), device())
    (vanilla,) = (system for system in plan.systems if system.method == VANILLA)
    alone = replace(vanilla, references=None)
    model = Peers.of(load_base(folder, plan.manifest.model), alone, benchmark).model
    at_once = max(1, min(BATCH, MAX_POSITIONS // (plan.manifest.evaluation.max_new_tokens + 1)))
    named = [system for system in plan.systems if system.name in names]
    for target in dict.fromkeys(system.target for system in named):
        alike = [system for system in named if system.target == target]
        with at(f"answers of {', '.join(system.name for system in alike)}"):
            said = {system.name: stored_answers(system) for system in alike}
            found = read_texts(model, batcher, records_of(alike[0], benchmark), said, at_once)
        for system in alike:
            publish_read(system, found[system.name])
            say(f"  read {system.name}: {len(found[system.name])} answers")
    return peak_memory()


def stored_answers(system: System) -> dict[str, Said]:
    """Return the answers of a system by record id.

    Raises:
        GuardError: the file is missing or damaged.
    """
    rows = read_columns(system, "record_id", "text", "stop")
    return {row["record_id"]: Said(row["text"], row["stop"] == "eos") for row in rows}


def read_texts(
    model: torch.nn.Module,
    batcher: Batcher,
    records: Sequence[Record],
    said: Mapping[str, Mapping[str, Said]],
    at_once: int = BATCH,
) -> dict[str, list[Read]]:
    """Return how likely the model finds the answers of each system to the same records.

    Each prompt is read once for all systems. What is found for one system does not depend on the
    answers of the others.

    Args:
        said: the answers by system, then by record id.
        at_once: how many prompts are read in one pass.
    """
    ordered = sorted(records, key=lambda each: (each.image is None, len(each.question), each.id))
    found: dict[str, list[Read]] = {system: [] for system in said}
    batches = HalvingBatches(at_once, "prompts")
    for system, read in batches.run(partial(_read, model, batcher, said), ordered):
        found[system].append(read)
    return found


@torch.no_grad()
def _read(
    model: torch.nn.Module,
    batcher: Batcher,
    said: Mapping[str, Mapping[str, Said]],
    records: Sequence[Record],
) -> list[tuple[str, Read]]:
    prompted = read_prompts(model, batcher.prompts(records))
    found = []
    for system, answers in said.items():
        rows = [answer_tokens(batcher, each, answers[each.id]) for each in records]
        ids, mask = batcher.answers(rows)
        sums = continuation_logprob(model, prompted, ids, mask).tolist()
        lengths = map(len, rows)
        found += [
            (system, Read(record.id, logprob, length))
            for record, logprob, length in zip(records, sums, lengths, strict=True)
        ]
    return found


def answer_tokens(batcher: Batcher, record: Record, said: Said) -> list[int]:
    """Return the tokens of an answer, with an end token if it ended by itself.

    Of an answer without any text, the end token is read, however it ended.
    """
    tokens = batcher.answer_tokens(record, said.text)
    if not said.text:
        return tokens[-1:]
    return tokens if said.ended else tokens[:-1]


def publish_read(system: System, found: Sequence[Read]) -> None:
    """Write the table of how Vanilla reads a system's answers.

    Raises:
        GuardError: a log-probability is not finite.
    """
    assert system.read is not None, "the manifest asks for it"
    require_finite("Vanilla", {each.record_id: each.logprob for each in found})
    rows = [(each.record_id, system.name, each.logprob, each.tokens) for each in found]
    publish_table(rows, READ_BY_VANILLA, system.read)
