"""The stage of attacks: relearn where an attack trains, then ask every system under attack."""

from collections.abc import Sequence

from kit.attacks.probe_head import ProbeHead
from kit.attacks.weights import WeightAttack
from kit.console import say
from kit.plan.attacks import STAGE, AttackJob, attack_jobs
from kit.plan.jobs import Plan
from kit.stages.costs import timed
from kit.stages.run import engines, not_trained, shares, train
from kit.stages.work import LOCAL, Work


def attack(plan: Plan, work: Work = LOCAL) -> None:
    """Run every attack of the manifest that is not done; without `[attack]` there is none.

    Raises:
        MissingStageError: an adapter has not been trained.
        GuardError: answers are not those of the trained model.
    """
    jobs = attack_jobs(plan)
    if not jobs:
        say("attack: the manifest has no section [attack]")
        return
    for job in plan.jobs():
        if not job.artifact.done:
            raise not_trained(job)
    waiting = [job for job in jobs if not job.answers.done]
    if not waiting:
        say(f"attack: all {len(jobs)} attacks on systems are done")
        return
    relearned = tuple(each for job in waiting for each in job.relearned.values())
    if relearned:
        train(plan, STAGE, relearned, work)
    say(f"attack: {len(waiting)} of {len(jobs)} attacks on systems to answer")
    heads = [job for job in waiting if isinstance(job.attack, ProbeHead)]
    asked = [job for job in waiting if not isinstance(job.attack, ProbeHead)]
    if asked:
        work.make_serving_base(plan)
    unmade = [job for job in waiting if job.pictures is not None and not job.pictures.done]
    with timed(plan, STAGE) as cost:
        cost.jobs_skipped = len(jobs) - len(waiting)
        if unmade:
            say(f"attack: optimising the pictures of {len(unmade)} attacks on systems")
            for peak in work.optimise(plan, _dealt(unmade, plan.manifest.compute.workers)):
                cost.add_peak(peak)
        try:
            if heads:
                say(f"attack: training heads on the hidden states of {len(heads)} systems")
                for peak in work.probe_heads(plan, _dealt(heads, plan.manifest.compute.workers)):
                    cost.add_peak(peak)
            for share in _apart(asked, plan):
                for peak in work.attack(plan, _dealt(share, engines(plan))):
                    cost.add_peak(peak)
        finally:
            cost.jobs += sum(job.answers.done for job in waiting)


def _apart(jobs: Sequence[AttackJob], plan: Plan) -> list[Sequence[AttackJob]]:
    """Return the attacks that one engine serves: changed weights are never served as adapters."""
    if plan.manifest.evaluation.serving == "merged":
        return [jobs] if jobs else []
    changed = [isinstance(job.attack, WeightAttack) for job in jobs]
    halves = [
        [j for j, each in zip(jobs, changed, strict=True) if each is a] for a in (False, True)
    ]
    return [half for half in halves if half]


def _dealt(jobs: Sequence[AttackJob], workers: int) -> list[list[str]]:
    """Deal the attacks out to at most so many workers, those of one system to one worker."""
    systems = list(dict.fromkeys(job.system.name for job in jobs))
    return [
        [job.answers.name for job in jobs if job.system.name in share]
        for share in shares(systems, workers)
    ]
