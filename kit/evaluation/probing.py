"""A worker process trains heads on the hidden states of systems, and stores what they answer."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from kit.attacks import Around
from kit.attacks.attack import subject_of
from kit.attacks.probe_head import PROBED, ProbeHead
from kit.benchmarks.records import Benchmark, Record
from kit.evaluation.asking import asked_records_of, in_their_words, require_asked
from kit.evaluation.attacked_file import write_attacked
from kit.evaluation.attacked_models import each_model
from kit.model.batches import BATCH, Batcher
from kit.model.head import predict
from kit.model.hidden import answer_hidden, layer_at
from kit.model.memory import HalvingBatches, peak_memory
from kit.model.resharding import free_gathered
from kit.plan.attacks import AttackJob
from kit.plan.jobs import Plan


def probe_heads(plan: Plan, names: Sequence[str]) -> int:
    """Answer the attacks whose answers have these names; return the peak memory, bytes.

    Runs in a process of its own.

    Raises:
        ManifestError: an attack has no record to ask.
    """
    for job, model, batcher, benchmark in each_model(plan, names):
        rows = probed(job, plan, benchmark, model, batcher)
        require_asked(job, {level for level, _ in rows})
        write_attacked([row for _, row in rows], job.answers.partial)
        job.answers.publish({"stage": "attack", "answers": len(rows), "largest_nats": None})
    return peak_memory()


def probed(
    job: AttackJob, plan: Plan, benchmark: Benchmark, model: Any, batcher: Batcher
) -> list[tuple[float, tuple[object, ...]]]:
    """Return what the heads of a system answer: (level, row of the stored answers)."""
    assert isinstance(job.attack, ProbeHead)
    around = Around(benchmark, job.target, job.entry.name)
    rows: list[tuple[float, tuple[object, ...]]] = []
    for level in job.entry.levels:
        layer = layer_at(model, level)
        records = asked_records_of(job, plan, benchmark, level)
        for concept in PROBED:
            asked = [record for record in records if record.concept is concept]
            if not asked:
                continue
            shown = in_their_words(job, benchmark, job.attack.trained(concept, around), level)
            answers = {subject_of(record): record.answer for record in shown}
            place = {name: number for number, name in enumerate(answers)}
            found = predict(
                states(shown, model, batcher, layer),
                torch.tensor([place[subject_of(record)] for record in shown]),
                states(asked, model, batcher, layer),
                job.attack.decay,
            )
            texts = list(answers.values())
            for record, number in zip(asked, found, strict=True):
                length = len(batcher.answer_tokens(record, texts[number]))
                row = (
                    job.system.name, job.target, job.entry.name, level, record.id,
                    record.question, "", texts[number], length, "eos",
                )  # fmt: skip
                rows.append((level, row))
    return rows


@torch.no_grad()
def states(records: Sequence[Record], model: Any, batcher: Batcher, layer: int) -> Tensor:
    """Return the states that the first tokens of answers are predicted from, [n, d], on the CPU."""

    def together(part: Sequence[Record]) -> list[Tensor]:
        ends = [batcher.answer_tokens(record, record.answer)[-1:] for record in part]
        return list(answer_hidden(model, batcher.given(part, ends), layer)[:, 0].cpu())

    found = HalvingBatches(BATCH, "records").run(together, records)
    free_gathered(model)  # the adapters of the next system are added to it
    return torch.stack(found)
