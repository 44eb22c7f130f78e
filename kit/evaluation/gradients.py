"""Gradient norms of reference answers: one backward pass for each batch of records.

They are for a metric of membership alone, so only the records that it compares are read: those of
the forget set (Efficacy), and those that no system was trained on.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch

from kit import benchmarks
from kit.benchmarks import load as load_benchmark
from kit.benchmarks.protocol import Protocol
from kit.benchmarks.records import Benchmark, Column, Record, asked_tokens
from kit.console import say
from kit.evaluation.peers import Peers
from kit.evaluation.questions import asked_records
from kit.evaluation.system_table import publish_table, require_finite
from kit.failures import at
from kit.model import determinism
from kit.model.base import device, load_base, load_processor
from kit.model.batches import Batcher
from kit.model.families import family_in
from kit.model.memory import HalvingBatches, peak_memory
from kit.model.weight_gradients import gradient_norms
from kit.plan.jobs import Plan
from kit.plan.systems import System
from kit.result.layout import GRADIENTS
from kit.sources.datasets import base_folder, places

BATCH = 8  # records in a backward pass, which keeps the activations of all layers


def measure_gradients(plan: Plan, names: Sequence[str]) -> int:
    """Measure the named systems' gradient norms, publish each, return the peak memory, bytes.

    Runs in a process of its own: it sets threads and determinism for the whole process.

    Raises:
        GuardError: a norm is not finite.
    """
    manifest = plan.manifest
    systems = [system for system in plan.systems if system.name in names]
    protocol = benchmarks.protocol(manifest.benchmark.loader)
    if protocol.holdout is None or not manifest.benchmark.options.get(protocol.holdout.option):
        say("  no gradients to measure: the benchmark holds no records out of training")
        for system in systems:
            publish_norms(system, [], [])
        return peak_memory()
    torch.set_num_threads(manifest.compute.threads)
    determinism.enable()
    benchmark = load_benchmark(manifest, places(manifest))
    folder = base_folder(manifest)
    base = load_base(folder, manifest.model)
    modules = manifest.model.lora_modules or family_in(folder).lora_modules
    batcher = Batcher(load_processor(folder, manifest.model), device())
    for system in systems:
        records = compared_records(system, benchmark, protocol)
        peers = Peers.of(base, replace(system, references=None), benchmark)
        with at(f"system {system.name}"):
            norms = measure_records(peers.model, batcher, records, modules)
        base = peers.unloaded()
        publish_norms(system, records, norms)
        say(f"  differentiated {system.name}: {len(norms)} answers")
    return peak_memory()


def compared_records(system: System, benchmark: Benchmark, protocol: Protocol) -> list[Record]:
    """Return the free answers of a system's Efficacy and held-out columns, as it is asked them."""
    assert protocol.holdout is not None, "there are records that no system was trained on"
    columns = Column.EFFICACY, protocol.holdout.column
    ids = {
        name
        for target in ([system.target] if system.target else benchmark.splits)
        for (_, column), chosen in benchmark.splits[target].evaluation.items()
        if column in columns
        for name in chosen
    }
    records = [benchmark.records[name] for name in sorted(ids)]
    return asked_records(system, benchmark, [each for each in records if asked_tokens(each)])


def measure_records(
    model: torch.nn.Module, batcher: Batcher, records: Sequence[Record], modules: str
) -> list[float]:
    """Return the norm of each record (`gradient_norms`), in the order of the records."""
    ordered = sorted(
        range(len(records)),
        key=lambda n: (records[n].image is None, len(records[n].question), records[n].id),
    )
    work = partial(_norms, model, batcher, modules)
    found = HalvingBatches(BATCH, "records").run(work, [records[n] for n in ordered])
    norms = dict(zip(ordered, found, strict=True))
    return [norms[n] for n in range(len(records))]


def _norms(
    model: torch.nn.Module, batcher: Batcher, modules: str, records: Sequence[Record]
) -> list[float]:
    return [float(norm) for norm in gradient_norms(model, batcher(records), modules)]


def publish_norms(system: System, records: Sequence[Record], norms: Sequence[float]) -> None:
    """Write the table of a system's gradient norms.

    Raises:
        GuardError: a norm is not finite.
    """
    assert system.gradients is not None, "the manifest asks for gradient norms"
    found = {record.id: norm for record, norm in zip(records, norms, strict=True)}
    require_finite(system.name, found)
    rows = [(name, system.name, norm) for name, norm in found.items()]
    publish_table(rows, GRADIENTS, system.gradients)
