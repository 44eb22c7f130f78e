"""What a system is asked: the records of its target, behind its instruction where it has one."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kit.benchmarks.records import Benchmark, Concept, Record
from kit.evaluation.engines import Request
from kit.model.batches import chat_prompt
from kit.plan.jobs import System


def records_of(system: System, benchmark: Benchmark) -> list[Record]:
    """Return the records that a system is evaluated on: those of its target's columns."""
    targets = [system.target] if system.target else list(benchmark.splits)
    ids = {
        record_id
        for target in targets
        for chosen in benchmark.splits[target].evaluation.values()
        for record_id in chosen
    }
    return [benchmark.records[record_id] for record_id in sorted(ids)]


def requests_of(
    system: System, benchmark: Benchmark, processor: Any, only: Sequence[Record] | None = None
) -> list[Request]:
    """Return one request a record; an image travels whenever the record has one."""
    requests = []
    for record in asked_records(system, benchmark, only):
        prompt = chat_prompt(processor, record.question, with_image=record.image is not None)
        requests.append(Request(record.id, system.name, prompt, record.image))
    return requests


def asked_records(
    system: System, benchmark: Benchmark, only: Sequence[Record] | None = None
) -> list[Record]:
    """Return a system's records (or those of `only`) with the questions that it is asked.

    Those are the records' own, behind the system's instruction where it has one.
    """
    said = instruction_of(system, benchmark)
    chosen = records_of(system, benchmark) if only is None else list(only)
    return [replace(r, question=f"{said} {r.question}") for r in chosen] if said else chosen


def instruction_of(system: System, benchmark: Benchmark) -> str:
    """Return a system's instruction with {names} filled by what its target forgets."""
    if not system.instruction or system.target is None:
        return ""
    forgotten = [benchmark.records[name] for name in benchmark.splits[system.target].forget]
    names = {r.event if r.concept is Concept.EVENT else r.person for r in forgotten} - {""}
    return system.instruction.format(names=" or ".join(sorted(names)))
