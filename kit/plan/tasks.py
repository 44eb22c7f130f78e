"""A whole plan as tasks for cards, with what each needs: for simulations of more cards.

A task is what a card is given at a time: one adapter, a group of systems that one engine answers
together, the pictures of an attack, all attacks on a system. Finished work counts as well.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from kit.artifacts import Artifact
from kit.attacks.pixels import PixelAttack
from kit.attacks.probe_head import ProbeHead
from kit.errors import ManifestError
from kit.plan.arithmetic import asked_at_most, asked_under_attack, directions, passes_of
from kit.plan.attacks import STAGE as ATTACK
from kit.plan.attacks import AttackJob, attack_jobs
from kit.plan.cards import FINETUNING, Fit
from kit.plan.estimate import training_seconds
from kit.plan.jobs import Job, Plan
from kit.plan.rates import Rates, require_rates_of
from kit.plan.simulation import Task
from kit.plan.systems import System, together

RELEARN, PICTURES, HEADS = "relearning", "pictures", "heads"
PLAIN = Fit(FINETUNING, 1, recomputed=False, fits=True)
NO_CARD: Mapping[str, Fit] = {}


class Clock(Protocol):
    """The time of each kind of task."""

    def trained(self, job: Job) -> float:
        """Return the time of all steps of an adapter."""
        ...

    def answered(self, systems: Sequence[System]) -> float:
        """Return the time of a group of systems in one engine."""
        ...

    def pictures(self, job: AttackJob) -> float:
        """Return the time of optimising pictures."""
        ...

    def attacked(self, jobs: Sequence[AttackJob]) -> float:
        """Return the time of the answers of one system under its attacks, or of its heads."""
        ...


class PassClock:
    """Counts passes of a record forwards, as `kit.plan.arithmetic` does; questions at most.

    Args:
        fits: how each kind of job is trained on the card; what is not named, without recomputation.
    """

    def __init__(self, plan: Plan, fits: Mapping[str, Fit] = NO_CARD) -> None:
        self._plan, self._fits = plan, fits
        self._plain = fits.get(FINETUNING, PLAIN)

    def trained(self, job: Job) -> float:
        return passes_of(job, self._fits.get(job.entry.name, PLAIN) if job.entry else self._plain)

    def answered(self, systems: Sequence[System]) -> float:
        return float(sum(asked_at_most(self._plan, system) for system in systems))

    def pictures(self, job: AttackJob) -> float:
        assert isinstance(job.attack, PixelAttack), "it has pictures"
        steps = job.attack.steps * directions(self._plain)
        return float(asked_under_attack(self._plan, job) * steps)

    def attacked(self, jobs: Sequence[AttackJob]) -> float:
        return float(sum(asked_under_attack(self._plan, job) for job in jobs))


class RatesClock:
    """Seconds of one card, from what a probe measured there.

    Raises:
        ManifestError: the rates are of another manifest.
    """

    def __init__(self, plan: Plan, rates: Rates) -> None:
        self._plan, self._rates = plan, rates
        self._workers = plan.manifest.compute.workers  # of the probe: a rate of answers is of all
        require_rates_of(plan, rates)
        if plan.manifest.attack is not None and rates.attack is None:
            raise ManifestError(
                "the rates are those of another manifest",
                expected="the times of attacks",
                found="none",
                remedy="measure this manifest on one card: `./run.sh plan MANIFEST --probe`",
            )

    def trained(self, job: Job) -> float:
        return training_seconds(job, self._rates)

    def answered(self, systems: Sequence[System]) -> float:
        asked = sum(self._rates.answers[system.name] for system in systems)
        return self._rates.round + asked * self._rates.answer * self._workers

    def pictures(self, job: AttackJob) -> float:
        assert isinstance(job.attack, PixelAttack) and self._rates.attack  # noqa: PT018
        asked = self._rates.attack.questions[job.answers.name]
        return self._rates.attack.gradient * job.attack.steps * asked

    def attacked(self, jobs: Sequence[AttackJob]) -> float:
        measured = self._rates.attack
        assert measured is not None, "checked above"
        asked = sum(measured.questions[job.answers.name] for job in jobs)
        if isinstance(jobs[0].attack, ProbeHead):
            return self._rates.passes["other"] * asked
        served = {job.served(level).name for job in jobs for level in job.entry.levels}
        section = self._plan.manifest.evaluation
        together = 1 if section.serving == "merged" else section.max_adapters
        rounds = -(-len(served) // together)
        return rounds * self._rates.round + asked * measured.answer * self._workers


def starts(rates: Rates) -> dict[str, float]:
    """Return the seconds of a card before its first task of each phase, as a probe measured them.

    That of a stage includes its checks, so of many cards it is a little too much.
    """
    found = dict(rates.start)
    if rates.attack is not None:
        found |= {RELEARN: rates.start["unlearn"], ATTACK: rates.attack.start}
    return found


def tasks_of(plan: Plan, clock: Clock, engines: int = 1) -> list[Task]:
    """Return all tasks of a plan, in the order in which the kit begins them.

    Args:
        engines: that answer at the same time, as in `kit.plan.systems.together`.
    """
    attacks = attack_jobs(plan)
    relearned = [job for attack in attacks for job in attack.relearned.values()]
    made = [
        *_trained("finetune", plan.finetune, clock),
        *_trained("unlearn", plan.unlearn, clock),
        *_answered(plan, clock, engines),
        *_trained(RELEARN, relearned, clock),
    ]
    for attack in attacks:
        if attack.pictures is not None:
            needs = _digests(attack.system.adapters)
            length = clock.pictures(attack)
            made.append(
                Task(attack.pictures.name, PICTURES, length, _digests([attack.pictures]), needs)
            )
    return [*made, *_attacked(attacks, clock)]


def _trained(phase: str, jobs: Sequence[Job], clock: Clock) -> Iterator[Task]:
    ordered = sorted(jobs, key=lambda job: -job.settings.steps * job.settings.batch_size)
    for job in ordered:
        needs = _digests([*job.below, *([job.oracle] if job.oracle else [])])
        yield Task(job.name, phase, clock.trained(job), _digests([job.artifact]), needs)


def _answered(plan: Plan, clock: Clock, engines: int) -> Iterator[Task]:
    size = together(plan.manifest.evaluation, len(plan.systems), engines)
    for first in range(0, len(plan.systems), size):
        group = plan.systems[first : first + size]
        needs = _digests([adapter for system in group for adapter in system.adapters])
        name = f"{group[0].name} and {len(group) - 1} more" if len(group) > 1 else group[0].name
        answers = _digests([system.answers for system in group])
        yield Task(name, "evaluate", clock.answered(group), answers, needs)


def _attacked(attacks: Sequence[AttackJob], clock: Clock) -> Iterator[Task]:
    """Yield one task for the heads of each system, and one for all of its other attacks."""
    for phase, wanted in ((HEADS, True), (ATTACK, False)):
        by_system: dict[str, list[AttackJob]] = {}
        for attack in attacks:
            if isinstance(attack.attack, ProbeHead) is wanted:
                by_system.setdefault(attack.system.name, []).append(attack)
        for name, own in by_system.items():
            needed = [
                *own[0].system.adapters,
                *(each.artifact for attack in own for each in attack.relearned.values()),
                *(attack.pictures for attack in own if attack.pictures is not None),
            ]
            answers = _digests([attack.answers for attack in own])
            yield Task(name, phase, clock.attacked(own), answers, _digests(needed))


def _digests(artifacts: Sequence[Artifact]) -> frozenset[str]:
    return frozenset(artifact.digest for artifact in artifacts)
