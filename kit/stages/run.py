"""The stages in their order. Each does what is missing, reports it, and returns."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

from kit.artifacts import Artifact, cache_root, require_space
from kit.console import say
from kit.errors import MissingStageError
from kit.experiment.manifest import Manifest
from kit.experiment.own_settings import trains_full
from kit.fetch.settings import DEFAULT, Settings
from kit.gpus import visible_gpus
from kit.model.families import family_in
from kit.plan.full_updates import space_of
from kit.plan.jobs import Job, Plan
from kit.plan.systems import SCORES, System
from kit.preflight.known import known_base
from kit.preflight.tried import untried
from kit.sources import datasets
from kit.stages.costs import StageCost, timed
from kit.stages.work import LOCAL, Work

ADAPTER_BYTES = 40_000_000


def fetch(plan: Plan, settings: Settings = DEFAULT) -> None:
    """Download data and weights, and verify every byte.

    Raises:
        ModelError: the base's config.json names a family that is not supported; nothing else is
            downloaded.
    """
    with timed(plan, "fetch") as cost:
        cost.jobs = datasets.fetch(plan.manifest, say, settings, examine=family_in)


def finetune(plan: Plan, work: Work = LOCAL) -> None:
    """Train the vanilla model and the retain-only models, after a check of base and records.

    Raises:
        ModelError, DataError, ManifestError: the base or a record cannot be used.
        MethodError: an unlearning method is broken.
    """
    if not all(job.artifact.done for job in plan.finetune):
        for line in work.require_ready(plan):
            say(f"  {line}")
        _try_methods(plan, work)
    train(plan, "finetune", plan.finetune, work)


def unlearn(plan: Plan, work: Work = LOCAL) -> None:
    """Train one adapter per method, target and seed on top of vanilla.

    Raises:
        MissingStageError: the vanilla model has not been trained.
        MethodError: a method is broken.
    """
    if not plan.finetune[0].artifact.done:
        raise MissingStageError(
            "unlearning starts from the vanilla model, which does not exist yet",
            expected=f"the folder {plan.finetune[0].artifact.path}",
            found="no finished one",
            remedy="run `./run.sh finetune` first",
        )
    _try_methods(plan, work)
    train(plan, "unlearn", plan.unlearn, work)


def _try_methods(plan: Plan, work: Work) -> None:
    """Try the methods that are still to be trained; those that were tried are skipped."""
    if untried(plan):
        for line in work.require_methods(plan):
            say(f"  {line}")


def train(plan: Plan, stage: str, jobs: tuple[Job, ...], work: Work) -> None:
    """Train the adapters of a stage that do not exist yet."""
    waiting = [job for job in jobs if not job.artifact.done]
    if not waiting:
        say(f"{stage}: all {len(jobs)} adapters are done")
        return
    require_space(cache_root() / "artifacts", ADAPTER_BYTES + _full_bytes(plan.manifest, waiting))
    say(f"{stage}: {len(waiting)} of {len(jobs)} adapters to train")
    with timed(plan, stage) as cost:
        cost.jobs_skipped = len(jobs) - len(waiting)
        # Close the generator on Ctrl-C, whenever it comes: workers must not outlive this loop.
        with closing(work.train(plan.manifest, waiting)) as finished:
            for job, record in finished:
                cost.jobs += 1
                cost.add_peak(record["peak_memory_bytes"])
                cost.write()
                stopped = f", stopped: {record['stopped']}" if record["stopped"] else ""
                say(
                    f"  [{cost.jobs}/{len(waiting)}] {job.name}: {record['steps']} steps, "
                    f"{record['seconds']:.0f} s{stopped}"
                )


def _full_bytes(manifest: Manifest, waiting: Sequence[Job]) -> int:
    """Return the bytes of full updates that are to be trained; 0 where the base is not known."""
    sizes = known_base(manifest) if trains_full(manifest) else None
    return space_of(waiting, sizes, manifest.compute.workers) if sizes else 0


def not_trained(job: Job) -> MissingStageError:
    """Return the error for an adapter that a later stage needs."""
    return MissingStageError(
        f"adapter {job.name} does not exist yet",
        expected=f"the folder {job.artifact.path}",
        found="no finished one",
        remedy=f"run `./run.sh {job.stage}` first",
    )


def evaluate(plan: Plan, work: Work = LOCAL) -> None:
    """Answer every record with every system, check the answers, and measure what follows.

    What is measured beside the answers themselves is what the manifest asks for (`System.scores`).

    Raises:
        MissingStageError: an adapter has not been trained.
        GuardError: an adapter has no effect, or answers are not those of the trained model.
    """
    for job in plan.jobs():
        if not job.artifact.done:
            raise not_trained(job)
    unanswered = [system for system in plan.systems if not system.answers.done]
    to_score = [made for system in plan.systems for made in system.scores.values()]
    if all(system.evaluated for system in plan.systems):
        done = "answered and scored" if to_score else "answered"
        say(f"evaluate: all {len(plan.systems)} systems are {done}")
        return
    with timed(plan, "evaluate") as cost:
        missing = len(unanswered) + sum(not made.done for made in to_score)
        cost.jobs_skipped = len(plan.systems) + len(to_score) - missing
        if unanswered:
            _answer(plan, unanswered, cost, work)
        if unchecked := [s.name for s in plan.systems if not s.agreement.done]:
            say(f"evaluate: checking stored answers of {len(unchecked)} systems")
            work.check(plan, unchecked)
        found = agreement(plan.systems)
        say(
            f"evaluate: {found['sample']} answers were read again; every token is within "
            f"{found['largest_nats']:.2g} nats of the likeliest one"
        )
        _score(plan, cost, work)


def _answer(plan: Plan, systems: list[System], cost: StageCost, work: Work) -> None:
    say(f"evaluate: {len(systems)} of {len(plan.systems)} systems to answer")
    work.make_serving_base(plan)
    with _counted(cost, [system.answers for system in systems]):
        for peak in work.answer(plan, shares([s.name for s in systems], engines(plan))):
            cost.add_peak(peak)


def engines(plan: Plan) -> int:
    """Return how many engines share the systems: each takes a GPU's memory for itself.

    Adapters are served together by one engine, merged weights one system at a time.
    """
    if plan.manifest.evaluation.serving != "merged":
        return 1
    workers = plan.manifest.compute.workers
    return min(workers, len(visible_gpus()) or workers)


def _score(plan: Plan, cost: StageCost, work: Work) -> None:
    """Measure, kind by kind, what is missing of each system."""
    by_kind = work.score, work.differentiate, work.read, work.judge
    measures = zip(by_kind, SCORES.items(), strict=True)
    for measure, (kind, what) in measures:
        waiting = [s for s in plan.systems if kind in s.scores and not s.scores[kind].done]
        if not waiting:
            continue
        names = [system.name for system in waiting]
        said = f"{len(waiting)} of {len(plan.systems)} systems to score"
        say(f"evaluate: {said} ({what}, in transformers)")
        with _counted(cost, [system.scores[kind] for system in waiting]):
            for peak in measure(plan, shares(names, plan.manifest.compute.workers)):
                cost.add_peak(peak)


@contextmanager
def _counted(cost: StageCost, made: Sequence[Artifact]) -> Iterator[None]:
    """Add the artifacts that are done to the cost, also those finished before an error."""
    try:
        yield
    finally:
        cost.jobs += sum(artifact.done for artifact in made)


def shares(names: Sequence[str], workers: int) -> list[list[str]]:
    """Deal names out to at most so many workers."""
    dealt = min(workers, len(names))
    return [list(names[number::dealt]) for number in range(dealt)]


def agreement(systems: Sequence[System]) -> dict[str, int | float]:
    """Return what the second look found: sampled answers, their tokens, and nats."""
    found = [system.agreement.job() for system in systems]
    return {
        "sample": sum(each["answers"] for each in found),
        "tokens": sum(each["tokens"] for each in found),
        "largest_nats": max(each["largest_nats"] for each in found),
        "limit_nats": max(each["limit_nats"] for each in found),
    }


def canaries(systems: Sequence[System]) -> dict[str, float]:
    """Return the effect of each system's adapter, nats, for the systems that were probed."""
    values = {system.name: system.answers.job()["canary"] for system in systems}
    return {name: value for name, value in values.items() if value is not None}
