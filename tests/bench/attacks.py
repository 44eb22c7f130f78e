"""Attacks without gradients against evaluating: seconds for the same systems, side by side.

    ./run.sh bench attacks [--systems N]

The systems are the small experiment's trained ones (`./run.sh all` first). Each is asked the
questions of its tables, and then what attacks on words, pictures and context ask, by one engine in
one process. Both take turns, a few systems at a time, and each loads their weights. Afterwards, a
second process reads likelihoods and distances to Retain-only, which are part of evaluating a full
table (`manifests/pebench.toml`). What a process needs once (its start, the base) counts nowhere.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from kit.artifacts import PROJECT
from kit.benchmarks import load as load_benchmark
from kit.evaluation.asking import ask
from kit.evaluation.attacking import answer_once
from kit.evaluation.peers import Peers
from kit.evaluation.questions import Questions, asked_records
from kit.evaluation.scoring import score_records
from kit.evaluation.serving import open_engine
from kit.experiment.attack import AttackEntry, AttackSection
from kit.experiment.manifest_file import load_manifest
from kit.model import determinism
from kit.model.base import device, load_base, load_processor
from kit.model.batches import Batcher
from kit.plan.attacks import attack_jobs
from kit.plan.jobs import Plan, make_plan
from kit.sources.datasets import base_folder, places
from kit.stages.workers import isolated

SYSTEMS, TURN = 20, 5
METRICS = 'evaluation.metrics=["likelihood", "distance"]', "claims=[]"
LIMIT = 2.0  # attacks may take this many times as long as evaluating
LEVELS = {
    "paraphrase": (1, 2, 3), "other_language": (1, 4), "prefix_injection": (1, 2),
    "role_play": (1, 2), "in_context": (4,), "first_letters": (2,), "retrieval": (1, 3),
    "crop": (0.9, 0.7), "blur": (0.01, 0.03), "noise": (0.02, 0.1), "other_image": (1,),
    "blank_image": (0.5,), "text_only": (1,),
}  # fmt: skip


def main() -> int:
    """Print both times and their ratio; 1 above the limit, 12 where the adapters are not there."""
    parser = argparse.ArgumentParser(prog="./run.sh bench attacks", description=__doc__)
    parser.add_argument("--systems", type=int, default=SYSTEMS)
    asked = parser.parse_args()
    plan = make_plan(load_manifest(PROJECT / "manifests" / "smoke.toml", changes=METRICS))
    systems = plan.systems[: asked.systems]
    if not all(adapter.done for system in systems for adapter in system.adapters):
        print("error: the adapters are not there\n  remedy: ./run.sh all first", file=sys.stderr)
        return 12
    few = replace(plan, systems=systems)
    start, (clean, clean_seconds), (attacked, seconds) = isolated(both, few)
    scored, score_seconds = isolated(score, few)
    evaluating = clean_seconds + score_seconds
    ratio = seconds / evaluating
    print(
        f"{len(systems)} systems, engine started in {start:.1f} s\n"
        f"evaluating: {clean} answers in {clean_seconds:.1f} s, likelihoods of {scored} given "
        f"answers in {score_seconds:.1f} s\n"
        f"attacking:  {attacked} answers to {sum(map(len, LEVELS.values()))} attacks and levels in "
        f"{seconds:.1f} s\n"
        f"attacks take {ratio:.2f} times as long as evaluating (at most {LIMIT:g} wanted), and "
        f"{seconds / clean_seconds:.2f} times as long as the answers alone, for "
        f"{attacked / clean:.2f} times as many questions"
    )
    return int(ratio > LIMIT)


def score(plan: Plan) -> tuple[int, float]:
    """Return how many given answers are read of all systems, and the seconds that it takes."""
    torch.set_num_threads(plan.manifest.compute.threads)
    determinism.enable()
    benchmark = load_benchmark(plan.manifest, places(plan.manifest))
    folder = base_folder(plan.manifest)
    batcher = Batcher(load_processor(folder, plan.manifest.model), device())
    base, count = load_base(folder, plan.manifest.model), 0
    started = time.perf_counter()
    for system in plan.systems:
        peers = Peers.of(base, system, benchmark)
        records = asked_records(system, benchmark)
        each = system.token_table
        count += len(score_records(peers.model, batcher, records, each_token=each))
        peers.compare(batcher, records)
        base = peers.unloaded()
    return count, time.perf_counter() - started


def both(plan: Plan) -> tuple[float, tuple[int, float], tuple[int, float]]:
    """Return the engine's start in seconds, and answers and seconds of both."""
    entries = tuple(
        AttackEntry(name=name.replace("_", "-"), label=name, attack=name, levels=levels)
        for name, levels in LEVELS.items()
    )
    manifest = plan.manifest.model_copy(update={"attack": AttackSection(entries=entries)})
    questions = Questions.of(plan)
    started = time.perf_counter()
    engine = open_engine(plan, plan.systems, manifest.evaluation.engine)
    start = time.perf_counter() - started

    def evaluate(few: Plan) -> int:
        return len(engine.answer([r for s in few.systems for r in questions.requests(s)]))

    def attack(few: Plan) -> int:
        with tempfile.TemporaryDirectory() as folder:
            jobs = attack_jobs(few)
            asked = [e for job in jobs for e in ask(job, few, questions.benchmark, Path(folder))]
            return len(answer_once([each.request for each in asked], engine))

    answers, seconds = {evaluate: 0, attack: 0}, {evaluate: 0.0, attack: 0.0}
    for begin in range(0, len(plan.systems), TURN):
        few = replace(plan, manifest=manifest, systems=plan.systems[begin : begin + TURN])
        for way in answers:
            began = time.perf_counter()
            answers[way] += way(few)
            seconds[way] += time.perf_counter() - began
    return start, (answers[evaluate], seconds[evaluate]), (answers[attack], seconds[attack])
