"""Adapters of the small experiment that no plan has: other seeds, changed methods, and answers.

They start from the vanilla model in the cache (`./run.sh finetune`), are asked about people with
transformers, and are removed again. The name and the seed of a job decide its first weights and its
draws, so an unchanged method gives the adapter of the reference's seed.
"""

import shutil
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from kit.artifacts import PROJECT, Artifact, cache_root
from kit.benchmarks.records import Column
from kit.benchmarks.words import contains_phrase
from kit.errors import MissingStageError
from kit.evaluation.engines import Request
from kit.evaluation.engines.transformers import TransformersEngine
from kit.experiment.manifest_file import load_manifest
from kit.model.neurons import read_neurons
from kit.plan.jobs import Job, make_plan
from kit.result.neurons import Removed
from kit.sources.datasets import base_folder
from kit.training.worker import Worker

REFERENCE = PROJECT / "manifests/reference/smoke"
Hits = dict[str, list[bool]]  # person -> for each question, whether the answer has the name


class Outcome(NamedTuple):
    """What an adapter was made of and does."""

    forgotten: Hits
    kept: Hits
    neurons: Removed


class SmallRuns:
    """The plan of the small experiment, and one worker that trains what it is told to."""

    def __init__(self) -> None:
        self.manifest = load_manifest(PROJECT / "manifests/smoke.toml")
        self._plan = make_plan(self.manifest)
        self.vanilla = self._plan.finetune[0].artifact
        if not self.vanilla.done:
            raise MissingStageError("there is no vanilla model", remedy="run `./run.sh finetune`")
        self.worker = Worker(self.manifest)

    def job(self, entry: str, seed: int, method: Any, **settings: float) -> Job:
        """Return the job of a manifest's entry with another seed, method and settings."""
        planned = next(j for j in self._plan.unlearn if j.name == f"person-{entry}-s1")
        return replace(
            planned,
            name=f"person-{entry}-s{seed}",
            seed=seed,
            method=method,
            settings=planned.settings.model_copy(update=settings),
            artifact=Artifact("bench", f"{entry}-s{seed}", f"{time.time_ns():016x}"),
        )

    def outcome(self, job: Job) -> Outcome:
        """Train an adapter; return who is named, and remove it again."""
        self.worker.run(job)
        try:
            forgotten, kept = self._asked([self.vanilla.path, job.artifact.path])
            return Outcome(forgotten, kept, read_neurons(job.artifact.path))
        finally:
            shutil.rmtree(job.artifact.path)

    def _asked(self, adapters: list[Path]) -> list[Hits]:
        benchmark = self.worker.benchmark
        engine = TransformersEngine(
            self.manifest, base_folder(self.manifest), {"one": adapters}, cache_root() / "scratch"
        )
        found = []
        for column in (Column.EFFICACY, Column.RETAIN):
            ids = benchmark.splits["person"].evaluation["person", column]
            records = {each: benchmark.records[each] for each in ids}
            hits: Hits = defaultdict(list)
            for answer in engine.answer([Request(record, "one") for record in records.values()]):
                person = records[answer.record_id].person
                hits[person].append(contains_phrase(answer.text, person))
            found.append(hits)
        engine.close()
        return found


def said(outcome: Outcome) -> str:
    """Return one line: how much is forgotten and kept, in percent of questions, and who is left."""
    left = [
        f"{name} {_percent([own])}" for name, own in sorted(outcome.forgotten.items()) if any(own)
    ]
    return (
        f"still names forgotten people in {_percent(outcome.forgotten.values())} of questions "
        f"({', '.join(left) or 'none'}), the others in {_percent(outcome.kept.values())}"
    )


def _percent(hits: Iterable[list[bool]]) -> str:
    every = [hit for own in hits for hit in own]
    return f"{100 * sum(every) / len(every):.0f} %"


def reference_forgets(entry: str) -> dict[int, float]:
    """Return {seed of the reference: share of questions about forgotten people without a name}."""
    rows = pd.read_csv(REFERENCE / "report/rows.csv")
    own = rows[
        rows["system"].str.startswith(f"person-{entry}-s") & (rows["metric"] == "forget_rate")
    ]
    own = own[(own["target"] == "person") & (own["column"] == Column.EFFICACY)]
    return {int(seed): float(value) for seed, value in zip(own["seed"], own["value"], strict=True)}
