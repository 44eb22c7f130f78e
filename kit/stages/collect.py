"""Gather one result folder from the artifacts: records, sets, answers, adapters, rows, run.json."""

import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kit import __version__
from kit.artifacts import Artifact, require_space, results_root, write_bytes, write_json
from kit.benchmarks import load as load_benchmark
from kit.benchmarks import planned_protocol
from kit.benchmarks.records import Benchmark
from kit.code import code_of
from kit.digests import sha256_value
from kit.errors import MissingStageError
from kit.experiment.calibrated import require_calibrated
from kit.experiment.tuned import run_entry
from kit.metrics.attacked import with_attacks
from kit.metrics.rows import measure, read_inputs, rows_of
from kit.plan.digests import loader_modules, probe_modules
from kit.plan.jobs import Plan
from kit.plan.kept_jobs import kept_jobs
from kit.report import write_report
from kit.report.metadata import write_metadata
from kit.report.renderer import renderer_digest
from kit.report.rules import stated_versions
from kit.result.layout import (
    ADAPTERS,
    ANSWERS,
    ATTACKED,
    CARD,
    CLAIMS,
    CRATE,
    PICTURES,
    RECORDS,
    ROWS,
    RUN,
    SETS,
)
from kit.result.run_file import SCHEMA as RUN_SCHEMA
from kit.result.run_protocol import layout_json, protocol_of
from kit.sources.checksum_lists import is_locked
from kit.sources.datasets import places
from kit.sources.places import source_records
from kit.stages.artifact_tables import read_artifact_table
from kit.stages.attacked import attack_facts, attacks_made, read_attacked, unattacked
from kit.stages.attempts import read_attempts
from kit.stages.costs import read_costs
from kit.stages.earlier_result import require_replaceable
from kit.stages.kept_files import bytes_of, kept_files
from kit.stages.record_tables import pictures_frame, records_frame, sets_frame
from kit.stages.result_tables import (
    further_scores,
    joined,
    outside_metric,
    write_scores,
    write_table,
)
from kit.stages.run import agreement, canaries
from kit.supply_chain.machine import environment, source_revision
from kit.verdicts.claims_file import to_json
from kit.verdicts.judging import judge_claims

RESULT_BYTES = 100_000_000
# Rooms that write nothing into a result: they made artifacts, whose digests are inputs.
_EARLIER = (
    "attacks", "evaluation", "fetch", "methods", "model", "plan", "preflight", "smoke", "training",
)  # fmt: skip
MADE_EARLIER = frozenset(f"kit.{room}" for room in _EARLIER)


def collect(plan: Plan) -> tuple[Path, bool]:
    """Write the result folder, unless it was made from the same inputs; return (folder, new).

    Raises:
        MissingStageError: a system has not been evaluated, or the claims were not calibrated.
        StorageError: another signed result has this name, or a file of an artifact is damaged.
    """
    require_calibrated(plan.manifest)
    folder = results_root() / plan.manifest.run_name
    inputs = _inputs_digest(plan)
    if _made_of(folder, inputs):
        return folder, False
    require_replaceable(folder, plan.manifest)
    kept = kept_files(plan)
    require_space(folder.parent, RESULT_BYTES + bytes_of(kept))
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "answers").mkdir(parents=True)
    located = places(plan.manifest)
    benchmark = load_benchmark(plan.manifest, located)
    write_table(records_frame(benchmark, located), partial, RECORDS)
    write_table(sets_frame(benchmark), partial, SETS)
    pictures = pictures_frame(benchmark, located, plan.manifest)
    if len(pictures):
        write_table(pictures, partial, PICTURES)
    answers = [read_artifact_table(s.answers, Path(ANSWERS).name, ANSWERS) for s in plan.systems]
    write_table(joined(answers, ANSWERS), partial, ANSWERS)
    write_scores(plan, partial)
    attacked = read_attacked(plan)
    if attacked is not None:
        write_table(attacked, partial, ATTACKED)
    for job in kept_jobs(plan):
        _copy_adapter(job.artifact, kept[job.name], partial / ADAPTERS / job.name)
    run = _run(plan, inputs, benchmark)
    write_json(partial / RUN, run)
    settings = plan.manifest.report
    measured = measure(**read_inputs(partial), protocol=protocol_of(run))
    measured = with_attacks(measured, attacked)
    rows = rows_of(measured, draws=settings.bootstrap_draws, seed=settings.seed)
    write_table(rows, partial, ROWS)
    verdicts = judge_claims(plan.manifest.claims, measured, seed=settings.seed)
    write_bytes(partial / CLAIMS, to_json(verdicts))
    write_report(partial)
    write_metadata(partial)
    _replace(partial, folder)
    return folder, True


def require_room(plan: Plan) -> None:
    """Check, before hours are spent, that the result may be written under its name.

    Raises:
        StorageError: another signed result has this name.
    """
    folder = results_root() / plan.manifest.run_name
    ready = all(system.evaluated for system in plan.systems) and not unattacked(plan)
    if not (ready and _made_of(folder, _inputs_digest(plan))):
        require_replaceable(folder, plan.manifest)


def _inputs_digest(plan: Plan) -> str:
    missing = [system.name for system in plan.systems if not system.evaluated]
    if missing:
        raise MissingStageError(
            f"{len(missing)} systems are not evaluated yet",
            expected="the answers of every system, checked and scored",
            found=f"{len(plan.systems) - len(missing)} of {len(plan.systems)} systems",
            remedy="run `./run.sh evaluate` first",
        )
    # The loader and the probes decide what a table shows and its texts.
    loader = (*loader_modules(plan.manifest.benchmark.loader), *probe_modules(plan.manifest))
    return sha256_value(
        {
            "manifest": plan.manifest.digest(),
            "answers": [system.answers.digest for system in plan.systems],
            "likelihoods": [s.likelihoods.digest for s in plan.systems if s.likelihoods],
            **further_scores(plan),
            **attacks_made(plan),
            "adapters": [job.artifact.digest for job in plan.jobs()],
            # A result warns about sources without a committed list; committing one ends that.
            "locked": [is_locked(source) for source in plan.manifest.all_sources()],
            # A result states its renderer: another one has to render its pages again.
            "renderer": renderer_digest(),
            **outside_metric(plan.manifest),
            "code": code_of(["kit.stages.collect", *loader], outside=MADE_EARLIER),
        }
    )


def _made_of(folder: Path, inputs: str) -> bool:
    try:
        run = json.loads((folder / RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    same = isinstance(run, dict) and run.get("inputs_digest") == inputs
    return same and (folder / CRATE).is_file()


def _replace(partial: Path, folder: Path) -> None:
    if folder.exists():
        old = folder.with_name(folder.name + ".old")
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
        partial.rename(folder)
        shutil.rmtree(old)
    else:
        partial.rename(folder)


def _copy_adapter(artifact: Artifact, files: Iterable[Path], target: Path) -> None:
    target.mkdir(parents=True)
    for path in files:
        shutil.copyfile(path, target / path.name)
    card = {key: value for key, value in artifact.job().items() if key != "peak_memory_bytes"}
    write_json(target / CARD, card)


def _run(plan: Plan, inputs: str, benchmark: Benchmark) -> dict[str, Any]:
    odd = [asdict(each) for each in benchmark.left_out]
    protocol = planned_protocol(plan.manifest)
    return {
        "schema": RUN_SCHEMA,
        "kit": {
            "version": __version__,
            "revision": source_revision(),
            "renderer": renderer_digest(),
        },
        "manifest": plan.manifest.resolved(),
        "manifest_digest": plan.manifest.digest(),
        "inputs_digest": inputs,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "sources": source_records(plan.manifest),
        "environment": environment(plan.manifest),
        "systems": [
            {
                "name": system.name,
                "target": system.target,
                "method": system.method,
                "label": system.label,
                "seed": system.seed,
            }
            for system in plan.systems
        ],
        "versions": stated_versions(protocol.version, attacked=plan.manifest.attack is not None),
        "engine": plan.systems[0].answers.job()["engine"],
        "jobs": [_job(plan_job.artifact) for plan_job in plan.jobs()],
        "stages": list(read_costs(plan).values()),
        "guards": {"canary": canaries(plan.systems), "agreement": agreement(plan.systems)},
        "attempts": read_attempts(plan.manifest),
        **({"left_out": odd} if odd else {}),
        **outside_metric(plan.manifest),
        **attack_facts(plan),
        **run_entry(plan.manifest),
        **layout_json(protocol, plan.manifest.targets, benchmark.absent),
    }


def _job(artifact: Artifact) -> dict[str, Any]:
    record = artifact.job()
    names = (
        "stage", "seconds", "steps", "stopped", "peak_memory_bytes", "forward_passes", "needs",
        "micro_batch_size", "gradient_checkpointing", "determinism",
    )  # fmt: skip
    kept = {name: record.get(name) for name in names}
    lost = {"lost": record["lost"]} if "lost" in record else {}  # of a killed and resumed job
    return {"name": artifact.name, "digest": artifact.digest, **kept, **lost}
