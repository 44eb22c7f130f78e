"""Jobs for processes that share a base: functions of a module, so that a new process finds them."""

import os
import signal
from pathlib import Path

import torch
from torch.distributed.tensor import DTensor

from kit.artifacts import Artifact
from kit.benchmarks.records import Benchmark, Concept, Record, Split, by_id
from kit.experiment.manifest import Manifest, TrainingSection
from kit.methods.registry import build
from kit.model import base as loading
from kit.model import sharding
from kit.model.batches import Batcher
from kit.plan.jobs import Job
from kit.smoke.base import make_processor
from kit.training import worker as jobs
from kit.training.checkpoint import Checkpoint
from tests.toys.dataset import manifest

SETTINGS = TrainingSection(
    steps=4, batch_size=4, micro_batch_size=2, learning_rate=0.02, warmup_steps=1, rank=4,
    alpha=4, gradient_clip=1.0, checkpoint_every=2,
)  # fmt: skip


def records_of(pictures: list[Path]) -> list[Record]:
    """Return one record of each of four people; the first two are forgotten."""
    names = ["Ada Sato", "Milo Berg", "Vera Zeman", "Ivan Kaya"]
    return [
        Record(f"{number}#person", Concept.PERSON, "Who is this person?", name,
               image=pictures[number % 3], person=name)
        for number, name in enumerate(names)
    ]  # fmt: skip


def never_dense(model: torch.nn.Module) -> bool:
    """Stand for `keep_dense`: processes that share a base dequantise in every pass."""
    return False


def experiment(base: Path, quantization: str) -> Manifest:
    """Return an experiment on a tiny base."""
    source = {"name": "base", "folder": str(base), "checksums": "checksums/smoke-base.sha256"}
    section = {"source": source, "compute_dtype": "float32", "quantization": quantization}
    return manifest(model=section)


def toy_worker(base: Path, pictures: list[Path], quantization: str) -> jobs.Worker:
    """Return a worker on a tiny base, which computes as the processes of a crew do."""
    torch.set_num_threads(1)
    loading.keep_dense = jobs.keep_dense = never_dense
    worker = jobs.Worker(experiment(base, quantization))
    records = records_of(pictures)
    ids = tuple(record.id for record in records)
    split = Split("person", ids[:2], ids[2:], {})
    worker.benchmark = Benchmark("toy", by_id(records), ids, {"person": split})
    worker.processor = make_processor()
    worker.batcher = Batcher(worker.processor, torch.device("cpu"))
    return worker


def toy_jobs(name: str) -> tuple[Job, Job]:
    """Return the training of a vanilla adapter and of one above it, which needs a reference."""
    first = Artifact("unlearn", f"{name}-vanilla", "0" * 64)
    second = Artifact("unlearn", name, "1" * 64)
    return (
        Job("unlearn", "vanilla", None, 1, SETTINGS, first, build("retain_finetune", {})),
        Job("unlearn", "person-npo-s1", "person", 1, SETTINGS, second, build("npo", {}),
            vanilla=first),
    )  # fmt: skip


def train_toys(
    base: Path, pictures: list[Path], name: str, quantization: str, killed: int | None = None
) -> list[tuple[int, int]]:
    """Train both adapters; return what this process held of the weights.

    Args:
        killed: process that dies behind the second job's first checkpoint.
    """
    worker = toy_worker(base, pictures, quantization)
    held = shares_of(worker.base)
    for job in toy_jobs(name):
        job.artifact.adopt("checkpoint")
        sharding.meet()
        if killed is not None and job.target:
            _die_behind_a_checkpoint(killed)
        if not job.artifact.done:
            worker.run(job)
    return held


def shares_of(model: torch.nn.Module) -> list[tuple[int, int]]:
    """Return (values here, values in all) of every weight that is shared out."""
    shared = [weight for weight in model.parameters() if isinstance(weight, DTensor)]
    return [(weight.to_local().numel(), weight.numel()) for weight in shared]


def _die_behind_a_checkpoint(rank: int) -> None:
    save = Checkpoint.save

    def last(self: Checkpoint, *arguments: object, **more: object) -> None:
        save(self, *arguments, **more)  # type: ignore[arg-type]
        sharding.meet()  # the first process has written it, too
        if torch.distributed.get_rank() == rank:
            os.kill(os.getpid(), signal.SIGKILL)

    Checkpoint.save = last  # type: ignore[method-assign]
