"""The questions to a system: the records of its target, with its instruction if it has one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from kit.benchmarks import load as load_benchmark
from kit.benchmarks.records import Benchmark, Concept, Record
from kit.evaluation.engines import Request
from kit.model.base import load_processor
from kit.plan.jobs import Plan
from kit.plan.systems import System
from kit.sources.datasets import base_folder, places


@dataclass(frozen=True)
class Questions:
    """A benchmark's records as requests, and the processor that training encodes them with."""

    benchmark: Benchmark
    processor: Any

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """Load the benchmark and the processor of a plan."""
        benchmark = load_benchmark(plan.manifest, places(plan.manifest))
        return cls(benchmark, load_processor(base_folder(plan.manifest), plan.manifest.model))

    def requests(self, system: System, only: Sequence[Record] | None = None) -> list[Request]:
        """Return one request per record, with the record's image if it has one.

        Args:
            only: ask these records instead of all of the system's.
        """
        asked = asked_records(system, self.benchmark, only)
        return [Request(record, system.name) for record in asked]


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


def asked_records(
    system: System, benchmark: Benchmark, only: Sequence[Record] | None = None
) -> list[Record]:
    """Return a system's records (or those of `only`), each question as the system is asked it.

    A system with an instruction is asked "<instruction> <question>".
    """
    instruction = instruction_of(system, benchmark)
    chosen = records_of(system, benchmark) if only is None else list(only)
    if not instruction:
        return chosen
    return [replace(record, question=f"{instruction} {record.question}") for record in chosen]


def instruction_of(system: System, benchmark: Benchmark) -> str:
    """Return a system's instruction, with {names} replaced by what its target forgets, or ""."""
    if not system.instruction or system.target is None:
        return ""
    forgotten = [benchmark.records[name] for name in benchmark.splits[system.target].forget]
    names = {r.event if r.concept is Concept.EVENT else r.person for r in forgotten} - {""}
    return system.instruction.replace("{names}", " or ".join(sorted(names)))
