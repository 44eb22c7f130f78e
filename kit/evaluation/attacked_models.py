"""The models of attacked systems in transformers, for attacks that read gradients or states."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import torch

from kit.benchmarks import load as load_benchmark
from kit.benchmarks.records import Benchmark
from kit.failures import at
from kit.methods.merger_file import merge_in
from kit.model import determinism
from kit.model.base import device, load_base, load_processor
from kit.model.batches import Batcher
from kit.model.lora import load_adapter
from kit.plan.attacks import AttackJob, attack_jobs
from kit.plan.jobs import Plan
from kit.sources.datasets import base_folder, places


def each_model(
    plan: Plan, names: Sequence[str]
) -> Iterator[tuple[AttackJob, Any, Batcher, Benchmark]]:
    """Yield the attacks whose answers have these names, each with the model of its system.

    The 4-bit base is loaded once, and threads and determinism are set for the whole process.
    """
    torch.set_num_threads(plan.manifest.compute.threads)
    determinism.enable()
    benchmark = load_benchmark(plan.manifest, places(plan.manifest))
    folder = base_folder(plan.manifest)
    batcher = Batcher(load_processor(folder, plan.manifest.model), device())
    base = load_base(folder, plan.manifest.model)
    jobs = [job for job in attack_jobs(plan) if job.answers.name in names]
    for name, group in groupby(jobs, lambda job: job.system.name):
        own = list(group)
        model: Any = base
        for number, artifact in enumerate(own[0].system.adapters):
            model = load_adapter(model, f"adapter{number}", artifact.path, merge_in)
        for job in own:
            with at(f"system {name}, attack {job.entry.name}"):
                yield job, model, batcher, benchmark
        if own[0].system.adapters:
            base = model.unload()
