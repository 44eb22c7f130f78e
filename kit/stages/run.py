"""The stages in their order. Each does what is missing, says what it does, and returns."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

from kit.artifacts import cache_root, require_space, write_json
from kit.console import say
from kit.digests import sha256_value
from kit.errors import MissingStageError
from kit.fetch.settings import DEFAULT, Settings
from kit.gpus import visible
from kit.plan.jobs import Job, Plan, System
from kit.sources import datasets
from kit.stages.costs import StageCost, timed
from kit.stages.workers import isolated, run_jobs, scatter

ADAPTER_BYTES = 40_000_000


def fetch(plan: Plan, settings: Settings = DEFAULT) -> None:
    """Bring data and weights; verify every byte."""
    with timed(plan, "fetch") as cost:
        cost.jobs = datasets.fetch(plan.manifest, say, settings)


def finetune(plan: Plan) -> None:
    """Train the vanilla model and the retain-only models."""
    _train(plan, "finetune", plan.finetune)


def unlearn(plan: Plan) -> None:
    """Train one adapter for each method, target and seed on top of vanilla."""
    vanilla = plan.finetune[0]
    if not vanilla.artifact.done:
        raise MissingStageError(
            "unlearning starts from the vanilla model, which is not there",
            remedy="run `./run.sh finetune` first",
        )
    _train(plan, "unlearn", plan.unlearn)


def _train(plan: Plan, stage: str, jobs: tuple[Job, ...]) -> None:
    waiting = [job for job in jobs if not job.artifact.done]
    if not waiting:
        say(f"{stage}: {len(jobs)} adapters are there already")
        return
    require_space(cache_root() / "artifacts", ADAPTER_BYTES)
    say(f"{stage}: {len(waiting)} of {len(jobs)} adapters to train")
    with timed(plan, stage) as cost:
        cost.jobs_skipped = len(jobs) - len(waiting)
        # Closed on Ctrl-C, wherever it comes: the workers must not outlive the loop.
        with closing(run_jobs(plan.manifest, waiting)) as finished:
            for job, record in finished:
                cost.jobs += 1
                peaks = (cost.peak_memory_bytes, record["peak_memory_bytes"])
                cost.peak_memory_bytes = max((p for p in peaks if p), default=None)
                cost.keep()
                stopped = f", stopped: {record['stopped']}" if record["stopped"] else ""
                say(
                    f"  [{cost.jobs}/{len(waiting)}] {job.name}: {record['steps']} steps, "
                    f"{record['seconds']:.0f} s{stopped}"
                )


def evaluate(plan: Plan) -> None:
    """Answer every record with every system, score given answers, then pass the guards."""
    for job in plan.jobs():
        if not job.artifact.done:
            raise MissingStageError(
                f"adapter {job.name} is not there", remedy=f"run `./run.sh {job.stage}` first"
            )
    unanswered = [system for system in plan.systems if not system.answers.done]
    scored = [system for system in plan.systems if system.likelihoods is not None]
    unscored = [system for system in scored if not _scored(system)]
    guard = guard_path(plan)
    if not unanswered and not unscored and guard.is_file():
        said = "answered and scored" if scored else "answered"
        say(f"evaluate: {len(plan.systems)} systems are {said} already")
        return
    with timed(plan, "evaluate") as cost:
        missing = len(unanswered) + len(unscored)
        cost.jobs_skipped = len(plan.systems) + len(scored) - missing
        if unanswered:
            _answer(plan, unanswered, cost)
        if unscored:
            _score(plan, unscored, cost)
        if unanswered or not guard.is_file():
            _compare(plan)


def _answer(plan: Plan, systems: list[System], cost: StageCost) -> None:
    from kit.evaluation import answering

    say(f"evaluate: {len(systems)} of {len(plan.systems)} systems to answer")
    isolated(answering.make_serving_base, plan)
    # Merged weights are served one system at a time: several engines share the systems.
    merged = plan.manifest.evaluation.serving == "merged"
    workers = plan.manifest.compute.workers if merged else 1
    # An engine takes a card's memory for itself.
    workers = min(workers, len(visible()) or workers)
    _share(answering.answer_systems, plan, systems, workers, cost, lambda s: s.answers.done)


def _score(plan: Plan, systems: list[System], cost: StageCost) -> None:
    from kit.evaluation import scoring

    say(
        f"evaluate: {len(systems)} of {len(plan.systems)} systems to score: likelihoods of given "
        "answers, in transformers"
    )
    _share(scoring.score_systems, plan, systems, plan.manifest.compute.workers, cost, _scored)


def _scored(system: System) -> bool:
    return system.likelihoods is not None and system.likelihoods.done


def _share(
    work: Callable[[Plan, list[str]], int],
    plan: Plan,
    systems: list[System],
    workers: int,
    cost: StageCost,
    done: Callable[[System], bool],
) -> None:
    """Deal systems out to processes; add what got done, also before an error, and the peak."""
    names = [system.name for system in systems]
    shares = min(workers, len(names))
    try:
        peaks = scatter(work, [(plan, names[n::shares]) for n in range(shares)])
        cost.peak_memory_bytes = max(*peaks, cost.peak_memory_bytes or 0)
    finally:
        cost.jobs += sum(map(done, systems))


def _compare(plan: Plan) -> None:
    from kit.evaluation import answering

    guard = guard_path(plan)
    if plan.manifest.evaluation.engine == "transformers":
        write_json(guard, None)  # the second opinion would be the first
        return
    say("evaluate: comparing answers of two engines")
    equal = isolated(answering.agreement, plan)
    write_json(guard, equal)
    say(f"evaluate: {equal['equal']} of {equal['sample']} answers are equal in both engines")


def guard_path(plan: Plan) -> Any:
    """Where the outcome of the agreement check lies: named by all answers that it sampled."""
    digest = sha256_value(
        [system.answers.digest for system in plan.systems] + [plan.manifest.evaluation.model_dump()]
    )
    return cache_root() / "artifacts" / f"agreement-{digest[:16]}.json"


def canaries(systems: tuple[System, ...]) -> dict[str, float]:
    """Return the canary value of each system that has one."""
    values = {system.name: system.answers.job()["canary"] for system in systems}
    return {name: value for name, value in values.items() if value is not None}
