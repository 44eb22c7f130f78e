"""Answers of all systems, keyed by record id, and the guards that an evaluation must pass.

Every function here runs in a process of its own (see `kit.stages.run`): engines set threads, seeds
and caches for a whole process.
"""

import importlib
import math
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kit.artifacts import cache_root
from kit.benchmarks import load as load_benchmark
from kit.benchmarks.records import Benchmark
from kit.console import say
from kit.errors import GuardError
from kit.evaluation.engines import Answer, Request, complete
from kit.evaluation.questions import records_of, requests_of
from kit.experiment.manifest import EvaluationSection, Manifest
from kit.experiment.systems import VANILLA
from kit.model.base import export_base, load_processor
from kit.model.memory import peak_memory
from kit.plan.jobs import Plan, System
from kit.result.layout import ANSWERS
from kit.result.tables import SCHEMAS
from kit.sources.datasets import base_folder, places
from kit.streams import sample

CANARY_RECORDS = 4
FEWEST_COMPARED = 8  # answers of each system: of three, two near ties would condemn a system
CANARY_MINIMUM = 1e-4  # nats; an adapter that changes nothing gives exactly 0


def make_serving_base(plan: Plan) -> None:
    """Write the dequantised base, once for all evaluations."""
    if not plan.serving.done:
        shutil.rmtree(plan.serving.partial, ignore_errors=True)
        export_base(base_folder(plan.manifest), plan.manifest.model, plan.serving.partial)
        plan.serving.publish({"stage": "evaluate"})


def answer_systems(plan: Plan, names: Sequence[str]) -> int:
    """Answer the records of the named systems, publish each, and return the peak memory, bytes."""
    systems = [system for system in plan.systems if system.name in names]
    benchmark = load_benchmark(plan.manifest, places(plan.manifest))
    processor = load_processor(base_folder(plan.manifest))
    engine = _open(plan, systems, plan.manifest.evaluation.engine)
    for group in _groups(systems, plan.manifest):
        changes = _canary(plan, engine, group, benchmark, processor)
        requests = [
            request for system in group for request in requests_of(system, benchmark, processor)
        ]
        answers: dict[str, list[Answer]] = {system.name: [] for system in group}
        for answer in complete(requests, engine.answer(requests)):
            answers[answer.system].append(answer)
        for system in group:
            system.answers.partial.mkdir(parents=True, exist_ok=True)
            write_answers(answers[system.name], system.answers.partial / "answers.parquet")
            system.answers.publish(
                {"stage": "evaluate", "canary": changes.get(system.name), "engine": engine.record}
            )
        names_done = ", ".join(system.name for system in group)
        say(f"  answered {names_done}")
    return peak_memory()


def _groups(systems: list[System], manifest: Manifest) -> Iterable[list[System]]:
    """Systems that are answered together; each group is kept on disk before the next begins."""
    size = 1 if manifest.evaluation.serving == "merged" else manifest.evaluation.max_adapters
    for start in range(0, len(systems), size):
        yield systems[start : start + size]


def _open(plan: Plan, systems: Iterable[System], name: str) -> Any:
    scratch = cache_root() / "scratch" / f"{plan.manifest.run_name}-{min(s.name for s in systems)}"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    module = importlib.import_module(f"kit.evaluation.engines.{name}")
    engine = module.VllmEngine if name == "vllm" else module.TransformersEngine
    folders: dict[str, tuple[Path, ...]] = {"": ()}
    for system in plan.systems:
        folders[system.name] = tuple(artifact.path for artifact in system.adapters)
    base = plan.serving.path if name == "vllm" else base_folder(plan.manifest)
    return engine(plan.manifest, base, folders, scratch)


def write_answers(answers: Iterable[Answer], path: Path) -> None:
    """Write answers sorted by system and record, the same bytes for the same answers."""
    frame = pd.DataFrame(
        [(a.record_id, a.system, a.text, a.tokens, a.stop) for a in answers],
        columns=["record_id", "system", "text", "tokens", "stop"],
    ).sort_values(["system", "record_id"], ignore_index=True)
    table = pa.Table.from_pandas(frame, schema=SCHEMAS[ANSWERS], preserve_index=False)
    pq.write_table(table.replace_schema_metadata(None), path)


def _canary(
    plan: Plan, engine: Any, group: list[System], benchmark: Benchmark, processor: Any
) -> dict[str, float]:
    """Return the largest change of a first token's log-probability that each adapter makes.

    A text adapter can silently do nothing in an engine (vllm issue 48019). Vanilla and retain-only
    are compared with the bare base, an unlearned system with vanilla.

    Raises:
        GuardError: an adapter changes nothing.
    """
    if not hasattr(engine, "first_logprobs"):
        return {}
    changes = {}
    for system in group:
        if system.instruction:
            continue
        target = system.target or next(iter(benchmark.splits))
        split = benchmark.splits[target]
        ids = sample(split.forget, min(CANARY_RECORDS, len(split.forget)), "canary", system.name)
        probes = [benchmark.records[record_id] for record_id in ids]
        start = VANILLA if len(system.adapters) > 1 else ""
        values = []
        for name in (start, system.name):
            asked = [
                Request(r.record_id, name, r.prompt, r.image)
                for r in requests_of(system, benchmark, processor, probes)
            ]
            values.append(engine.first_logprobs(asked))
        changes[system.name] = max(
            change_of_logprob(values[0][start, record.id], values[1][system.name, record.id])
            for record in probes
        )
        if changes[system.name] < CANARY_MINIMUM:
            raise GuardError(
                f"adapter of {system.name} does nothing in the engine",
                expected=f"a log-probability that changes by {CANARY_MINIMUM} nats",
                found=f"{changes[system.name]:.1e}",
                remedy="the engine ignores this adapter: set evaluation.serving = 'merged'",
            )
    return changes


def change_of_logprob(before: dict[int, float], after: dict[int, float]) -> float:
    """Return by how much the first token that was likeliest before has changed, in nats.

    Both map the likeliest tokens to their log-probabilities. A token that is no longer among them
    is below the least of them, so the change is at least that much.
    """
    token = max(before, key=lambda name: before[name])
    return abs(before[token] - after.get(token, min(after.values())))


def _compared(plan: Plan, system: System, benchmark: Benchmark) -> list[str]:
    """Return the records that two engines both answer for a system: half of them forget records.

    On those a system differs from vanilla: one that was served another's weights is seen.
    """
    share = math.ceil(plan.manifest.evaluation.agreement_sample / len(plan.systems))
    share = max(share, FEWEST_COMPARED)
    ids = {record.id for record in records_of(system, benchmark)}
    targets = [system.target] if system.target else list(benchmark.splits)
    forget = {name for target in targets for name in benchmark.splits[target].forget} & ids
    chosen = sample(sorted(forget), min(share // 2, len(forget)), "agreement", system.name)
    others = sorted(ids - forget)
    wanted = min(share - len(chosen), len(others))
    return [*chosen, *sample(others, wanted, "agreement", system.name)]


def _same(one: str, two: str, section: EvaluationSection) -> bool:
    words = section.agreement_words
    return one.split()[:words] == two.split()[:words] if words else one == two


def agreement(plan: Plan) -> dict[str, int]:
    """Compare stored answers with transformers' on a seeded sample of (system, record) pairs.

    Raises:
        GuardError: fewer agree than the manifest demands.
    """
    manifest = plan.manifest
    benchmark = load_benchmark(manifest, places(manifest))
    processor = load_processor(base_folder(manifest))
    stored = {
        (row.system, row.record_id): row.text
        for system in plan.systems
        for row in pd.read_parquet(system.answers.path / "answers.parquet").itertuples()
    }
    chosen = {
        (system.name, record_id)
        for system in plan.systems
        for record_id in _compared(plan, system, benchmark)
    }
    requests = [
        request
        for system in plan.systems
        for request in requests_of(system, benchmark, processor)
        if (request.system, request.record_id) in chosen
    ]
    engine = _open(plan, plan.systems, "transformers")
    answers = complete(requests, engine.answer(requests))
    section = manifest.evaluation
    differ = [a for a in answers if not _same(stored[a.system, a.record_id], a.text, section)]
    equal = len(answers) - len(differ)
    asked, wrong = Counter(a.system for a in answers), Counter(a.system for a in differ)
    # Of few answers one may differ by a near tie: a system that is served wrongly gets none right.
    may_differ = 1 - section.agreement_of_each
    apart = [name for name in wrong if wrong[name] > max(1, may_differ * asked[name])]
    if apart or equal < section.agreement_minimum * len(answers):
        first = next((a for a in differ if a.system in apart), differ[0])
        raise GuardError(
            "the two engines disagree",
            expected=f"{section.agreement_minimum:.0%} of {len(answers)} equal answers, and "
            f"{section.agreement_of_each:.0%} of each system's",
            found=f"{equal} equal; {first.system}, {first.record_id}: "
            f"{stored[first.system, first.record_id]!r} and {first.text!r}",
            remedy="where they part at once, the engine does not serve what was trained: do not "
            "trust its answers; where they part late, at a near tie of bfloat16, set "
            "evaluation.agreement_words (no answer is asked again)",
        )
    return {"sample": len(answers), "equal": equal}
