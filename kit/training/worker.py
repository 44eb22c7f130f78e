"""Training jobs: what a worker does to make one adapter. One model a process, many adapters."""

import dataclasses
import math
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel

from kit.benchmarks import load as load_benchmark
from kit.benchmarks.records import Benchmark, Concept, Record
from kit.errors import EnvironmentFault
from kit.experiment.manifest import Manifest
from kit.experiment.refusals import REFUSALS
from kit.experiment.systems import VANILLA
from kit.gpus import gpus
from kit.methods import Needs, Step
from kit.model.base import device, load_base, load_processor
from kit.model.batches import Batch, Batcher
from kit.model.determinism import switch_on, switches, watched
from kit.model.likelihood import answer_distribution, sequence_logprob
from kit.model.lora import add_adapter, load_adapter, save_adapter, without
from kit.plan.jobs import Job
from kit.sources.datasets import base_folder, places
from kit.streams import seed_of, stream
from kit.training.costs import Journal, Passes
from kit.training.loop import train
from kit.training.sampling import Balanced, Mixed, Pool, partner, single_images

LARGEST_ON_A_CPU = 2_000_000_000  # bytes of weights
TRAINED = "trained"


class Worker:
    """A worker's resources: the 4-bit base and the records, loaded when first needed."""

    def __init__(self, manifest: Manifest) -> None:
        _require_device(base_folder(manifest))
        torch.set_num_threads(manifest.compute.threads)
        switch_on()
        self.manifest = manifest

    @cached_property
    def benchmark(self) -> Benchmark:
        return load_benchmark(self.manifest, places(self.manifest))

    @cached_property
    def processor(self) -> Any:
        return load_processor(base_folder(self.manifest))

    @cached_property
    def batcher(self) -> Batcher:
        return Batcher(self.processor, device())

    @cached_property
    def base(self) -> Any:
        return load_base(base_folder(self.manifest), self.manifest.model)

    def records(self, ids: tuple[str, ...]) -> tuple[Record, ...]:
        return tuple(self.benchmark.records[record_id] for record_id in ids)

    def run(self, job: Job) -> dict[str, Any]:
        """Train one adapter and publish it; return what its job.json says."""
        assert job.method is not None
        folder = job.artifact.partial
        folder.mkdir(parents=True, exist_ok=True)
        # The initial weights come from the job's own stream: the order of jobs is free.
        torch.manual_seed(seed_of("lora", job.name, job.seed))
        start = self.base
        if job.vanilla is not None:
            start = load_adapter(self.base, VANILLA, job.vanilla.path)
        settings = job.settings
        model = add_adapter(
            start,
            TRAINED,
            modules=self.manifest.model.lora_modules,
            rank=settings.rank,
            alpha=settings.alpha,
        )
        source = StepSource(self, model, job)
        with watched() as nondeterministic:
            outcome = train(
                model,
                job.method,
                settings,
                source.steps,
                folder,
                name=job.name,
                stop_after=source.forget_count if job.governed else None,
                passes=source.passes,
            )
        save_adapter(model, TRAINED, folder)
        self.base = model.unload()
        journal = Journal(folder, source.passes)
        lost = journal.lost(outcome.steps)
        record = {
            "stage": job.stage,
            "seed": job.seed,
            "target": job.target,
            "needs": dataclasses.asdict(job.method.needs),
            "forward_passes": source.passes.total,
            **dataclasses.asdict(outcome),
            "determinism": switches(nondeterministic),
            **({"lost": lost} if lost else {}),
        }
        journal.remove()  # not before: a kill until here makes it all lost work
        job.artifact.publish(record)
        return record


def _require_device(base: Path) -> None:
    """Refuse to train a large base on a CPU: it would not end.

    Raises:
        EnvironmentFault: no GPU that this environment's torch can use.
    """
    size = sum(path.stat().st_size for path in base.glob("*.safetensors"))
    if size > LARGEST_ON_A_CPU and not torch.cuda.is_available():
        raise EnvironmentFault(
            f"a base of {size / 1e9:.1f} GB is not trained on a CPU",
            expected="a GPU, and a torch that can use it",
            found=f"{len(gpus())} GPUs, torch {torch.__version__}",
            remedy="run it in the gpu image, on a machine with a GPU: ./run.sh --runner docker",
        )


class StepSource:
    """Prepares, for each step, exactly what a method declares in `needs`."""

    def __init__(self, worker: Worker, model: PeftModel, job: Job) -> None:
        assert job.method is not None
        self._worker, self._model, self._job = worker, model, job
        self._needs: Needs = job.method.needs
        self.passes = Passes()
        seed = job.seed
        if job.target is None:
            forget: tuple[Record, ...] = ()
            self._retain = worker.records(worker.benchmark.finetune)
        else:
            split = worker.benchmark.splits[job.target]
            forget = worker.records(split.forget)
            self._retain = worker.records(split.retain)
        if self._needs.single_image:
            forget = tuple(single_images(forget, seed))
        self.forget_count = len(forget)
        self._forget = (
            Balanced("forget", forget, seed)
            if self._needs.concept_balance
            else Pool("forget", forget, seed)
        )
        self._retain_pool: Pool | Mixed = Pool("retain", self._retain, seed)
        share = worker.manifest.finetune.rehearsal if job.stage == "finetune" else 0.0
        if share:
            general = Pool("rehearsal", worker.records(worker.benchmark.rehearsal), seed)
            self._retain_pool = Mixed(self._retain_pool, general, share)
        self._concept_tokens = self._tokens_of(forget) if self._needs.single_image else None

    @cached_property
    def vocabulary(self) -> int:
        """How many tokens the model chooses from."""
        return int(self._model.get_base_model().config.get_text_config().vocab_size)

    def steps(self, number: int, size: int) -> Iterator[Step]:
        """Yield one optimisation step's micro-batches of `size` records."""
        self.passes.begin(number)
        pool = self._forget if self._needs.forget else self._retain_pool
        drawn = pool.take(number, self._job.settings.batch_size)
        for start in range(0, len(drawn), size):
            yield self._step(drawn[start : start + size])

    def _step(self, drawn: list[tuple[Record, int]]) -> Step:
        step = Step(self._policy, self._reference)
        records = [record for record, _ in drawn]
        if not self._needs.forget:
            step.retain = self._worker.batcher(records)
            return step
        seed = self._job.seed
        step.forget = self._worker.batcher(records)
        step.uniform = math.log(self.vocabulary)
        if self._needs.retain:
            partners = [partner(record, epoch, self._retain, seed) for record, epoch in drawn]
            step.retain = self._worker.batcher(partners)
        if self._needs.refusals:
            refused = [
                dataclasses.replace(
                    record, answer=stream("refusal", seed, epoch, record.id).choice(REFUSALS)
                )
                for record, epoch in drawn
            ]
            step.refusal = self._worker.batcher(refused)
            if self._needs.reference_scalars:
                step.refusal_reference = self._reference_scalars(refused)
        if self._needs.reference_scalars:
            step.forget_reference = self._reference_scalars(records)
        step.forget_is_person = torch.tensor(
            [float(record.concept is Concept.PERSON) for record in records], device=device()
        )
        step.concept_tokens = self._concept_tokens
        return step

    def _policy(self, batch: Batch) -> torch.Tensor:
        self.passes.count(len(batch.record_ids))
        return answer_distribution(self._model, batch)

    def _reference(self, batch: Batch) -> torch.Tensor:
        self.passes.count(len(batch.record_ids))
        with without(self._model, TRAINED):
            return answer_distribution(self._model, batch)

    def _reference_scalars(self, records: list[Record]) -> torch.Tensor:
        """Return log pi_0(y) of each record's answer, [B]; each pair is computed once.

        Each record alone: the last bits depend on what is in the batch, and a resumed run asks for
        the pairs that its checkpoint does not hold yet in other company.
        """
        scalars = self.passes.scalars
        for record in records:
            if (record.id, record.answer) not in scalars:
                batch = self._worker.batcher([record])
                with without(self._model, TRAINED):
                    value = sequence_logprob(answer_distribution(self._model, batch), batch)
                scalars[record.id, record.answer] = value.item()
        return torch.tensor([scalars[r.id, r.answer] for r in records], device=device())

    def _tokens_of(self, forget: tuple[Record, ...]) -> torch.Tensor:
        tokenizer = self._worker.processor.tokenizer
        mask = torch.zeros(self.vocabulary, dtype=torch.bool, device=device())
        for record in forget:
            words = record.keywords if record.concept is Concept.EVENT else record.person.split()
            for word in words:
                mask[tokenizer(f" {word}", add_special_tokens=False)["input_ids"]] = True
        return mask
