"""Work of a stage without models or processes: it makes empty artifacts and says what it did."""

from collections.abc import Generator, Sequence

from kit.artifacts import Artifact
from kit.evaluation.scored_answers import ScoredAnswer, publish
from kit.experiment.manifest import Manifest
from kit.plan.attacks import attack_jobs
from kit.plan.jobs import Job, Plan
from kit.plan.systems import System
from kit.stages.workers import JobRecord


def make(artifact: Artifact, **job: object) -> None:
    """Publish an artifact that holds its job.json alone."""
    artifact.partial.mkdir(parents=True)
    artifact.publish(job)


class ToyWork:
    """Does everything at once; `calls` are (what, names) in the order in which it was asked."""

    def __init__(self, *, answer_peak: int = 1000, score_peak: int = 2000) -> None:
        self.calls: list[tuple[str, list[str]]] = []
        self.answer_peak, self.score_peak = answer_peak, score_peak

    def names(self, what: str) -> list[str]:
        """Return all names that were asked for."""
        return [name for kind, names in self.calls if kind == what for name in names]

    def train(
        self, manifest: Manifest, jobs: Sequence[Job]
    ) -> Generator[tuple[Job, JobRecord], None, None]:
        for job in jobs:
            self.calls.append(("train", [job.name]))
            make(job.artifact)
            yield job, JobRecord(steps=3, seconds=1.0, stopped=None, peak_memory_bytes=7)

    def require_ready(self, plan: Plan) -> list[str]:
        self.calls.append(("ready", []))
        return []

    def require_methods(self, plan: Plan) -> list[str]:
        self.calls.append(("methods", []))
        return []

    def make_serving_base(self, plan: Plan) -> None:
        self.calls.append(("base", []))

    def answer(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        for names in shares:
            self.calls.append(("answer", names))
            for system in named(plan, names):
                make(system.answers, canary=0.5)
                check(system)
        return [self.answer_peak for _ in shares]

    def score(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        for names in shares:
            self.calls.append(("score", names))
            for system in named(plan, names):
                publish(system, [ScoredAnswer("r", "answer", system.name, -1.0, 2)])
        return [self.score_peak for _ in shares]

    def differentiate(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        return self._measure("differentiate", "gradients", plan, shares)

    def read(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        return self._measure("read", "read", plan, shares)

    def judge(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        return self._measure("judge", "judged", plan, shares)

    def _measure(self, call: str, kind: str, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        for names in shares:
            self.calls.append((call, names))
            for system in named(plan, names):
                make(getattr(system, kind))
        return [self.score_peak for _ in shares]

    def optimise(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        for names in shares:
            self.calls.append(("optimise", names))
            for job in attack_jobs(plan):
                if job.answers.name in names and job.pictures is not None:
                    make(job.pictures)
        return [self.answer_peak for _ in shares]

    def probe_heads(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        for names in shares:
            self.calls.append(("probe_heads", names))
            for job in attack_jobs(plan):
                if job.answers.name in names:
                    make(job.answers)
        return [self.answer_peak for _ in shares]

    def attack(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        for names in shares:
            self.calls.append(("attack", names))
            for job in attack_jobs(plan):
                if job.answers.name in names:
                    make(job.answers)
        return [self.answer_peak for _ in shares]

    def check(self, plan: Plan, names: list[str]) -> None:
        self.calls.append(("check", names))
        for system in named(plan, names):
            check(system)


def check(system: System) -> None:
    """Publish what a second look would have found in ten answers of three tokens."""
    make(system.agreement, answers=10, tokens=30, largest_nats=0.25, limit_nats=1.0)


def named(plan: Plan, names: Sequence[str]) -> list[System]:
    return [system for system in plan.systems if system.name in names]
