"""Adapters of the small experiment that no plan has: other seeds, changed methods, and answers.

They start from the vanilla model in the cache (`./run.sh finetune`), are asked about people with
transformers, and are removed again. The name and the seed of a job decide its first weights and its
draws, so an unchanged method gives the adapter of the reference's seed.
"""

import shutil
import time
from collections import defaultdict
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
PEOPLE = {"forgotten": Column.EFFICACY, "kept": Column.RETAIN}
Shares = dict[str, dict[str, float]]  # column -> person -> share of answers with the name


class Outcome(NamedTuple):
    """What an adapter was made of and does."""

    shares: Shares
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
        """Train an adapter; return how often each person is named, and remove it again."""
        self.worker.run(job)
        try:
            shares = self._asked([self.vanilla.path, job.artifact.path])
            return Outcome(shares, read_neurons(job.artifact.path))
        finally:
            shutil.rmtree(job.artifact.path)

    def _asked(self, adapters: list[Path]) -> Shares:
        benchmark = self.worker.benchmark
        engine = TransformersEngine(
            self.manifest, base_folder(self.manifest), {"one": adapters}, cache_root() / "scratch"
        )
        found: Shares = {}
        for name, column in PEOPLE.items():
            ids = benchmark.splits["person"].evaluation["person", column]
            records = {each: benchmark.records[each] for each in ids}
            hits = defaultdict(list)
            for answer in engine.answer([Request(record, "one") for record in records.values()]):
                person = records[answer.record_id].person
                hits[person].append(contains_phrase(answer.text, person))
            found[name] = {person: sum(own) / len(own) for person, own in sorted(hits.items())}
        engine.close()
        return found


def said(outcome: Outcome) -> str:
    """Return one line: the forgotten people that are still named, and how often the others are."""
    forgotten, kept = outcome.shares["forgotten"], outcome.shares["kept"].values()
    left = [f"{name} {100 * share:.0f} %" for name, share in forgotten.items() if share]
    return (
        f"of {len(forgotten)} forgotten people it names {', '.join(left) or 'none'}; "
        f"the others {100 * sum(kept) / len(kept):.0f} %"
    )


def reference_forgets(entry: str) -> dict[int, float]:
    """Return {seed of the reference: share of questions about forgotten people without a name}."""
    rows = pd.read_csv(REFERENCE / "report/rows.csv")
    own = rows[
        rows["system"].str.startswith(f"person-{entry}-s") & (rows["metric"] == "forget_rate")
    ]
    own = own[(own["target"] == "person") & (own["column"] == Column.EFFICACY)]
    return {int(seed): float(value) for seed, value in zip(own["seed"], own["value"], strict=True)}
