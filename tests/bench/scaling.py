"""The simulation of `plan --scale`, held against runs with 1, 2 and 4 workers.

    ./run.sh bench scaling [--steps N] [--workers N,...]

A miniature of the small experiment, two models and six unlearned adapters, is trained once for each
number of workers, in caches of their own. The run with the first number (one worker) gives the time
of each adapter and the start of each stage. From these, the simulation predicts the others: a
worker is a card, but no more of them count than there are cores. A second prediction uses the times
that the adapters took in the run itself. It holds on a busy machine as well, and tests how tasks
are dealt out; it does not test whether they take as long beside each other. Answers are not part
of it.
"""

import argparse
import os
from collections.abc import Iterator, Mapping

from kit.artifacts import PROJECT
from kit.console import say
from kit.experiment.manifest import Manifest
from kit.experiment.manifest_file import load_manifest
from kit.plan.jobs import Plan, make_plan
from kit.plan.simulation import Task, phases, staged
from kit.plan.tasks import PassClock, tasks_of
from kit.stages import run as stages
from kit.stages.costs import read_costs
from kit.stages.probe import own_cache
from kit.stages.work import LocalWork

WORKERS = (1, 2, 4)
STEPS = 40  # of fine-tuning; unlearning makes half of them
METHODS = ("po", "ga", "gd", "kl", "dpo", "npo")
STAGES = ("finetune", "unlearn")
HEAD = (
    "| workers | stage | measured | from one worker's times | ratio | from its own times | ratio |",
    "|---|---|---|---|---|---|---|",
)
Lengths = Mapping[str, float]


class Unchecked(LocalWork):
    """Work on base and methods that the small experiment has checked."""

    def require_ready(self, plan: Plan) -> list[str]:
        return []

    def require_methods(self, plan: Plan) -> list[str]:
        return []


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="./run.sh bench scaling", description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS, help=f"default: {STEPS}")
    parser.add_argument("--workers", default=",".join(map(str, WORKERS)), metavar="N,...")
    asked = parser.parse_args()
    smoke = load_manifest(PROJECT / "manifests" / "smoke.toml")
    stages.fetch(make_plan(smoke))
    first: tuple[Lengths, Lengths] | None = None
    print("\n".join(HEAD))
    for workers in map(int, asked.workers.split(",")):
        with own_cache():
            plan = make_plan(miniature(smoke, workers, asked.steps))
            say(f"workers: {workers}; adapters to train: {len(list(plan.jobs()))}")
            stages.finetune(plan, Unchecked())
            stages.unlearn(plan, Unchecked())
            lengths = {job.name: job.artifact.job()["seconds"] for job in plan.jobs()}
            measured = {stage: read_costs(plan)[stage]["seconds"] for stage in STAGES}
        tasks = tasks_of(plan, PassClock(plan))
        begun = starts(tasks, lengths, measured, workers)
        first = first or (lengths, begun)
        for line in rows(workers, tasks, measured, first, (lengths, begun)):
            print(line, flush=True)
    return 0


def miniature(manifest: Manifest, workers: int, steps: int) -> Manifest:
    """Return the manifest with one target, six methods, few steps, and so many workers."""
    target = manifest.targets[0]
    few = {"steps": steps, "warmup_steps": 1, "checkpoint_every": 0}
    fewer = {**few, "steps": max(2, steps // 2), "stop": "never", "target_steps": {}}
    methods = tuple(
        entry.model_copy(update={"targets": (target,), "steps": None, "stop": None})
        for entry in manifest.methods
        if entry.name in METHODS
    )
    return manifest.model_copy(
        update={
            "targets": (target,), "methods": methods, "claims": (), "attack": None, "tune": None,
            "finetune": manifest.finetune.model_copy(update=few),
            "unlearn": manifest.unlearn.model_copy(update=fewer),
            "compute": manifest.compute.model_copy(update={"workers": workers}),
        }
    )  # fmt: skip


def simulated(tasks: list[Task], lengths: Lengths, begun: Lengths, workers: int) -> Lengths:
    """Return the seconds of both stages on so many workers, for given times of adapters."""
    own = [
        Task(task.name, task.phase, lengths[task.name]) for task in tasks if task.phase in STAGES
    ]
    return staged(own, workers, begun)


def starts(
    tasks: list[Task], lengths: Lengths, measured: Lengths, workers: int
) -> dict[str, float]:
    """Return what each stage took beside its busiest worker."""
    busy = simulated(tasks, lengths, {}, workers)
    return {stage: max(0.0, measured[stage] - busy[stage]) for stage in STAGES}


def rows(
    workers: int, tasks: list[Task], measured: Lengths,
    first: tuple[Lengths, Lengths], own: tuple[Lengths, Lengths],
) -> Iterator[str]:  # fmt: skip
    """Yield a line for each stage; the own times are begun as in the first run."""
    cores = len(os.sched_getaffinity(0))
    before = simulated(tasks, *first, min(workers, cores))
    within = simulated(tasks, own[0], first[1], workers)
    for stage in phases([task for task in tasks if task.phase in STAGES]):
        took = measured[stage]
        yield (
            f"| {workers} | {stage} | {took:.1f} s | {before[stage]:.1f} s | "
            f"{before[stage] / took:.2f} | {within[stage]:.1f} s | {within[stage] / took:.2f} |"
        )


if __name__ == "__main__":
    raise SystemExit(main())
