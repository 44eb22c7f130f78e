"""A probe: the manifest's own stages in small, in a cache of their own that is removed afterwards.

Base, records, workers and engines are those of the manifest. What is smaller: 20 steps a job, two
methods that tell passes with gradient from passes without, and a few answers of each system. The
evaluation runs twice, with few and with more answers: the time of an answer is a difference.
"""

import time
from collections.abc import Mapping

from kit.artifacts import Artifact, exclusive
from kit.console import say
from kit.experiment.manifest import Manifest, MethodSection
from kit.methods.passes import count_passes
from kit.plan.estimate import longest_share, rounds_of
from kit.plan.jobs import Job, Plan, make_plan
from kit.plan.rates import Rates, device_name
from kit.plan.systems import SCORES
from kit.stages import run as stages
from kit.stages.costs import read_costs
from kit.stages.probe_attacks import count_attacked, shrunk_attacks, with_attacks
from kit.stages.probe_cache import own_cache
from kit.stages.work import LOCAL, LocalWork
from kit.stages.workers import isolated
from kit.state_files import damaged

STEPS = 20
FEW, MORE = 8, 64  # records of a column in the two evaluations: about 60 and 400 answers a system


class SmallWork(LocalWork):
    """Work on base and records that were checked as a whole; notes what the served base took."""

    base_seconds = 0.0

    def require_ready(self, plan: Plan) -> list[str]:
        return []

    def make_serving_base(self, plan: Plan) -> None:
        started = time.monotonic()
        super().make_serving_base(plan)
        self.base_seconds = max(self.base_seconds, time.monotonic() - started)


def probe(plan: Plan) -> Rates:
    """Measure the rates of a plan on this machine; nothing of it is kept but them.

    Raises:
        KitError: as the stages do; what fails here would fail in the run.
    """
    with exclusive("probe"):
        LOCAL.require_ready(plan)
        answers, attacked = count_questions(plan), count_attacked(plan)
        with own_cache():
            return measure(plan, answers, attacked, SmallWork())


def measure(
    plan: Plan, answers: Mapping[str, int], attacked: Mapping[str, int], work: SmallWork
) -> Rates:
    """Run the stages in small and return their rates.

    Args:
        answers: system -> questions that the whole plan asks it.
        attacked: name of an attack's answers -> questions that the whole plan asks.
    """
    few, more = (make_plan(shrunk(plan, size)) for size in (FEW, MORE))
    say(f"probe: {STEPS} steps of {len(list(few.jobs()))} jobs, then answers of {len(few.systems)}")
    stages.finetune(few, work)
    stages.unlearn(few, work)
    for one in (few, more):
        stages.evaluate(one, work)
    (little, answered), (much, again) = (_evaluated(one) for one in (few, more))
    rounds = rounds_of(len(few.systems), few.manifest)
    answer = max(0.0, (much - little) * rounds / max(1, again - answered))
    scored = _scored(more) / max(1, again)
    # The second evaluation finds the engine's caches warm, as the run will, and the served base.
    whole = read_costs(more)["evaluate"]["seconds"]
    found = Rates(
        device=device_name(),
        start={
            "finetune": _start(few, "finetune", few.finetune),
            "unlearn": _start(few, "unlearn", few.unlearn),
            "evaluate": max(0.0, whole - rounds * much - scored * again) + work.base_seconds,
        },
        passes=_passes(few),
        round=max(0.0, little - answered * answer / rounds),
        answer=answer + scored,
        answers=dict(answers),
    )
    if plan.manifest.attack is None:
        return found
    return with_attacks(found, answer, few, attacked, work)


def shrunk(plan: Plan, per_column: int) -> Manifest:
    """Return the manifest with one target, one seed, two methods, and few steps and questions."""
    manifest = plan.manifest
    target = manifest.targets[0]
    small = {"steps": STEPS, "warmup_steps": 1, "checkpoint_every": 0}
    methods = [
        entry.model_copy(update={"targets": (target,), "steps": None, "stop": "never"})
        for entry in chosen_methods(plan)
    ]
    systems = len(methods) + 2
    adapters = min(manifest.evaluation.max_adapters, -(-systems // 2))  # two groups at least
    return manifest.model_copy(
        update={
            "seeds": manifest.seeds[:1],
            "targets": (target,),
            "methods": tuple(methods),
            "claims": (),
            "tune": None,
            "attack": shrunk_attacks(manifest, STEPS, FEW),
            "split": manifest.split.model_copy(update={"max_per_column": per_column}),
            "finetune": manifest.finetune.model_copy(update=small),
            "unlearn": manifest.unlearn.model_copy(
                update={**small, "target_steps": {}, "stop": "never"}
            ),
            "evaluation": manifest.evaluation.model_copy(
                update={"max_adapters": adapters, "agreement_sample": 8 * systems}
            ),
        }
    )


def chosen_methods(plan: Plan) -> list[MethodSection]:
    """Return the method with most passes with gradient alone, and the one with most without.

    Methods with reference scalars and those that measure records before the first step come last:
    their later steps are faster.
    """
    jobs = [job for job in plan.unlearn if job.steps]
    found = [(job.entry, count_passes(job.method), job.method.needs) for job in jobs]
    ranked = sorted(
        (
            (entry, passes, needs.reference_scalars or needs.measure)
            for entry, passes, needs in found
            if entry
        ),
        key=lambda each: (each[2], -each[1].other, -each[1].gradient - each[1].again),
    )
    alone = [entry for entry, passes, _ in ranked if not passes.other]
    with_reference = [entry for entry, passes, _ in ranked if passes.other]
    return [*alone[:1], *with_reference[:1]]


def _passes(plan: Plan) -> dict[str, float]:
    """Return the seconds of a record's pass: with gradient by stage, and without."""
    found = {}
    for job in (*plan.finetune, *plan.unlearn):
        record, passes = job.artifact.job(), count_passes(job.method)
        each = record["seconds"] / _steps(job) / job.settings.batch_size
        if not passes.other:
            found[job.stage] = each / (passes.gradient + passes.again)
        else:
            # Where no method goes without a reference, its passes count as half of the others.
            gradient = found.get(
                "unlearn", each / (passes.gradient + passes.again + passes.other / 2)
            )
            found.setdefault("unlearn", gradient)
            found["other"] = (
                max(0.0, each - (passes.gradient + passes.again) * gradient) / passes.other
            )
    return {"unlearn": found["finetune"], "other": found["finetune"] / 2, **found}


def _steps(job: Job) -> int:
    """Return how many steps a job made; each makes one or more.

    Raises:
        StorageError: its job.json says none.
    """
    steps = int(job.artifact.job()["steps"])
    if not steps:
        folder = job.artifact.path
        raise damaged(folder / "job.json", "0", folder, expected="'steps': 1 or more")
    return steps


def _start(plan: Plan, stage: str, jobs: tuple[Job, ...]) -> float:
    """Return the seconds of a stage that its busiest worker did not train in."""
    trained = [job.artifact.job()["seconds"] for job in jobs]
    if not trained:
        return 0.0
    whole = read_costs(plan)[stage]["seconds"]
    return max(0.0, whole - longest_share(trained, plan.manifest.compute.workers))


def _evaluated(plan: Plan) -> tuple[float, int]:
    """Return the seconds from one group's answers to the next one's, and the number of answers."""
    ended = sorted(_published(system.answers) for system in plan.systems)
    rounds = rounds_of(len(ended), plan.manifest)
    asked = sum(count_questions(plan).values())
    return ((ended[-1] - ended[0]) / (rounds - 1) if rounds > 1 else 0.0), asked


def _scored(plan: Plan) -> float:
    """Return the seconds in which all systems were scored, without starts; 0 if none was.

    Kinds of scores follow one after the other, each in processes of its own.
    """
    seconds = 0.0
    for kind in SCORES:
        ended = [_published(each.scores[kind]) for each in plan.systems if kind in each.scores]
        if len(ended) > 1:
            seconds += (max(ended) - min(ended)) * len(ended) / (len(ended) - 1)
    return seconds


def _published(artifact: Artifact) -> float:
    return (artifact.path / "job.json").stat().st_mtime


def count_questions(plan: Plan) -> dict[str, int]:
    return isolated(count_answers, plan)


def count_answers(plan: Plan) -> dict[str, int]:
    """Return how many questions each system of a plan is asked."""
    from kit.benchmarks import load
    from kit.evaluation.questions import records_of
    from kit.sources.datasets import places

    benchmark = load(plan.manifest, places(plan.manifest))
    return {system.name: len(records_of(system, benchmark)) for system in plan.systems}
