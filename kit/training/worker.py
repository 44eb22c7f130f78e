"""A worker process trains one adapter after another on one loaded base."""

import dataclasses
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from kit.benchmarks import load as load_benchmark
from kit.benchmarks.records import Benchmark
from kit.errors import EnvironmentFault
from kit.experiment.manifest import Manifest
from kit.experiment.systems import FINETUNE, VANILLA
from kit.experiment.updates import FULL
from kit.gpus import gpus
from kit.methods.arithmetic import after_training
from kit.methods.merger_file import merge_in, require_merge, save_merger
from kit.methods.merging import adapters_of, merge_of
from kit.model import determinism
from kit.model.base import device, load_base, load_processor
from kit.model.batches import Batcher
from kit.model.dense import add_below, keep_dense
from kit.model.families import Family, family_in
from kit.model.lora import (
    adapter_state,
    add_adapter,
    add_full_update,
    load_adapter,
    replace_weights,
    save_adapter,
)
from kit.model.memory import expand_segments
from kit.model.side_by_side import merged_updates
from kit.plan.jobs import Job
from kit.sources.datasets import base_folder, places
from kit.streams import seed_of
from kit.training.costs import Journal
from kit.training.guards import require_update
from kit.training.loop import TrainingRecord, train
from kit.training.neurons import remove_neurons
from kit.training.padding import extremes, require_harmless_padding
from kit.training.steps import TRAINED, StepSource
from kit.training.vision import VisionFeatures

MAX_CPU_BASE_BYTES = 2_000_000_000


class Worker:
    """The 4-bit base and the records of a manifest, loaded when first needed."""

    def __init__(self, manifest: Manifest) -> None:
        expand_segments()
        _require_device(base_folder(manifest))
        torch.set_num_threads(manifest.compute.threads)
        determinism.enable()
        self.manifest = manifest
        self._padding_checked = False
        self._vision: VisionFeatures | None = None

    @cached_property
    def benchmark(self) -> Benchmark:
        return load_benchmark(self.manifest, places(self.manifest))

    @cached_property
    def processor(self) -> Any:
        return load_processor(base_folder(self.manifest), self.manifest.model)

    @cached_property
    def batcher(self) -> Batcher:
        return Batcher(self.processor, device())

    @cached_property
    def base(self) -> PreTrainedModel:
        return load_base(base_folder(self.manifest), self.manifest.model)

    @cached_property
    def family(self) -> Family:
        return family_in(base_folder(self.manifest))

    def run(self, job: Job) -> dict[str, Any]:
        """Train one adapter, publish it, and return its record (the content of job.json)."""
        folder = job.artifact.partial
        folder.mkdir(parents=True, exist_ok=True)
        model = self._with_adapters(job)
        source = self.source(job, model)
        self._check_padding(job, model)
        with determinism.record_nondeterminism() as nondeterministic:
            before = remove_neurons(job, source, model) if job.method.needs.neurons else None
            if before is None or not job.method.needs.training_free:
                trained = _trained(job, source, model, before.seconds if before else 0.0)
            else:
                trained = before
        source.close()
        self.base = model.unload()
        keep_dense(self.base)  # without the adapters that were added below
        journal = Journal(folder, source.passes)
        record = _record(job, source, trained, journal) | {
            "determinism": determinism.state(nondeterministic)
        }
        journal.remove()  # as late as possible: if the job is killed before, all of it is lost
        job.artifact.publish(record)
        return record

    def source(self, job: Job, model: PeftModel) -> StepSource:
        """Return the training steps of a job."""
        return StepSource(
            job,
            model,
            self.benchmark,
            self.batcher,
            self.processor.tokenizer,
            device(),
            self.manifest.finetune.rehearsal if job.stage == FINETUNE else 0.0,
            self._vision_of(job, model),
        )

    def _vision_of(self, job: Job, model: PeftModel) -> VisionFeatures | None:
        """Return the image features of this worker, checked once; None where none are kept."""
        capacity = job.settings.vision_cache_bytes
        if capacity and (self._vision is None or self._vision.capacity != capacity):
            self._vision = VisionFeatures(self.base, self.batcher, capacity)
            records = [self.benchmark.records[name] for name in self.benchmark.finetune]
            self._vision.require_equal(model, extremes(records)[0])
        return self._vision if capacity else None

    def _check_padding(self, job: Job, model: PeftModel) -> None:
        """Check once that padding is harmless; batches of one record have none."""
        if self._padding_checked or 1 in (job.settings.micro_batch_size, job.settings.batch_size):
            return
        records = [self.benchmark.records[name] for name in self.benchmark.finetune]
        require_harmless_padding(model, self.batcher, extremes(records), job.name)
        self._padding_checked = True

    def _with_adapters(self, job: Job) -> PeftModel:
        """Return the base with the adapters that the job is stacked on, and a new one."""
        # The initial weights come from the job's own stream, so the order of jobs is free.
        torch.manual_seed(seed_of("lora", job.stream, job.seed))
        start: PreTrainedModel | PeftModel = self.base
        below = [artifact.path for artifact in job.below]
        # An oracle is computed without the adapters below, so these stay apart.
        if job.oracle or not add_below(self.base, below, merge_in):
            for number, path in enumerate(below):
                start = load_adapter(start, f"{VANILLA}{number or ''}", path, merge_in)
        modules = self.manifest.model.lora_modules or self.family.lora_modules
        # Without training, an adapter is a switch alone: the smallest one will do.
        if job.settings.update == FULL and not job.method.needs.training_free:
            return add_full_update(start, TRAINED, modules=modules)
        count = len(adapters_of(job.method)) or 1  # of adapters, side by side
        return add_adapter(
            start,
            TRAINED,
            modules=modules,
            rank=count * job.settings.rank,
            alpha=count * job.settings.alpha,
        )


def _trained(job: Job, source: StepSource, model: PeftModel, seconds: float) -> TrainingRecord:
    """Train the adapter and save it.

    Args:
        seconds: that the job took before its first step.
    """
    folder = job.artifact.partial
    trained = train(
        model,
        job.method,
        job.settings,
        source.steps,
        folder,
        name=job.name,
        stop_after=source.forget_count if job.governed else None,
        passes=source.passes,
        longest=source.longest,
        measured=source.measured,
    )
    if trained.stopped is None:  # the stop rule also ends a run with nothing to forget
        require_update(
            adapter_state(model, TRAINED), job.name, trained.steps,
            job.settings.learning_rate, folder,
        )  # fmt: skip
    if job.method.needs.arithmetic:
        changed = after_training(job.method, adapter_state(model, TRAINED))
        replace_weights(model, TRAINED, changed)
    if job.method.needs.merging:
        require_merge(job.method, merged_updates(model, TRAINED, merge_of(job.method)))
        save_merger(job.method, folder)
    save_adapter(model, TRAINED, folder)
    return dataclasses.replace(trained, seconds=round(trained.seconds + seconds, 3))


def _record(
    job: Job, source: StepSource, trained: TrainingRecord, journal: Journal
) -> dict[str, Any]:
    lost = journal.lost(trained.steps)
    return {
        "stage": job.stage,
        "seed": job.seed,
        "target": job.target,
        "needs": dataclasses.asdict(job.method.needs),
        "forward_passes": source.passes.total,
        **dataclasses.asdict(trained),
        **source.notes(),
        **({"lost": lost} if lost else {}),
    }


def _require_device(base: Path) -> None:
    """Refuse to train a large base on a CPU, which would take months.

    Raises:
        EnvironmentFault: there is no GPU that this environment's torch can use.
    """
    size = sum(path.stat().st_size for path in base.glob("*.safetensors"))
    if size > MAX_CPU_BASE_BYTES and not torch.cuda.is_available():
        raise EnvironmentFault(
            f"a base of {size / 1e9:.1f} GB is not trained on a CPU",
            expected="a GPU, and a torch that can use it",
            found=f"{len(gpus())} GPUs, torch {torch.__version__}",
            remedy="run it in the gpu image, on a machine with a GPU: ./run.sh --runner docker",
        )
