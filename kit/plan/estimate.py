"""Time of the work that is left, from rates that a probe measured on this kind of device.

A stage takes its start, and then as long as its busiest worker. Nothing here is measured.
"""

import heapq
from collections.abc import Sequence

from kit.attacks.pixels import PixelAttack
from kit.attacks.probe_head import ProbeHead
from kit.experiment.manifest import Manifest
from kit.methods.passes import count_passes
from kit.methods.update import MEASURED
from kit.plan.attacks import STAGE as ATTACK
from kit.plan.attacks import AttackJob, attack_jobs
from kit.plan.jobs import Job, Plan
from kit.plan.rates import OTHER, AttackRates, Rates, require_rates_of


def estimate(plan: Plan, rates: Rates) -> dict[str, float]:
    """Return the seconds of each stage that has work left.

    A stop rule may end a job earlier. Reference scalars are left out: jobs share them, and each
    takes one pass.

    Raises:
        ManifestError: the rates are of another manifest.
    """
    require_rates_of(plan, rates)
    manifest = plan.manifest
    found = {}
    for stage, jobs in (("finetune", plan.finetune), ("unlearn", plan.unlearn)):
        left = [job for job in jobs if not job.artifact.done]
        if left:
            each = [training_seconds(job, rates) for job in left]
            found[stage] = rates.start[stage] + longest_share(each, manifest.compute.workers)
    unanswered = [system.name for system in plan.systems if not system.evaluated]
    if unanswered:
        asked = sum(rates.answers[name] for name in unanswered)
        rounds = rounds_of(len(unanswered), manifest)
        found["evaluate"] = rates.start["evaluate"] + rounds * rates.round + asked * rates.answer
    waiting = [job for job in attack_jobs(plan) if not job.answers.done]
    if waiting and rates.attack is not None:
        found[ATTACK] = _attack_seconds(waiting, manifest, rates, rates.attack)
    return found


def _attack_seconds(
    jobs: Sequence[AttackJob], manifest: Manifest, rates: Rates, measured: AttackRates
) -> float:
    """Return the time of attacks: relearning, pictures, heads on hidden states, answers.

    Changed weights count as another group of systems. Where adapters are served, that is too
    little.
    """
    workers = manifest.compute.workers
    relearn = [each for job in jobs for each in job.relearned.values() if not each.artifact.done]
    pictures = [
        measured.gradient * job.attack.steps * measured.questions[job.answers.name]
        for job in jobs
        if isinstance(job.attack, PixelAttack) and job.pictures and not job.pictures.done
    ]
    heads = [job for job in jobs if isinstance(job.attack, ProbeHead)]
    states = [rates.passes[OTHER] * measured.questions[job.answers.name] for job in heads]
    asking = [job for job in jobs if not isinstance(job.attack, ProbeHead)]
    served = {job.served(level).name for job in asking for level in job.entry.levels}
    asked = sum(measured.questions[job.answers.name] for job in asking)
    return (
        measured.start
        + longest_share([training_seconds(job, rates) for job in relearn], workers)
        + longest_share(pictures, workers)
        + longest_share(states, workers)
        + rounds_of(len(served), manifest) * rates.round
        + asked * measured.answer
    )


def training_seconds(job: Job, rates: Rates) -> float:
    """Return the time of all steps of a job."""
    passes = count_passes(job.method)
    gradient, other = rates.passes[job.stage], rates.passes[OTHER]
    each = passes.all_with_gradient * gradient + passes.other * other
    measured = MEASURED * passes.measured * gradient  # at most
    return job.steps * job.settings.batch_size * each + measured


def rounds_of(systems: int, manifest: Manifest) -> int:
    """Return how many groups of systems the busiest engine answers one after the other."""
    if manifest.evaluation.serving == "merged":
        return -(-systems // min(manifest.compute.workers, systems))
    return -(-systems // manifest.evaluation.max_adapters)


def longest_share(seconds: Sequence[float], workers: int) -> float:
    """Return the time of the busiest worker, where the longest jobs are begun first."""
    busy = [0.0] * workers
    for each in sorted(seconds, reverse=True):
        heapq.heappush(busy, heapq.heappop(busy) + each)
    return max(busy)
