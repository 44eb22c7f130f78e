"""The work that stages hand to worker processes: one method for each kind of work.

Tests give a stage another `Work`, which needs no model and no process.
"""

from collections.abc import Generator, Sequence
from typing import Protocol

from kit.experiment.manifest import Manifest
from kit.plan.jobs import Job, Plan
from kit.stages.workers import JobRecord, isolated, run_jobs, scatter


class Work(Protocol):
    """What a stage needs from others. Peaks are those of one process's memory, in bytes."""

    def train(
        self, manifest: Manifest, jobs: Sequence[Job]
    ) -> Generator[tuple[Job, JobRecord], None, None]:
        """Train adapters; yield each job with its record as soon as it is published."""
        ...

    def require_ready(self, plan: Plan) -> list[str]:
        """Check base and records before anything is trained; return what was found, in lines."""
        ...

    def require_methods(self, plan: Plan) -> list[str]:
        """Try the plan's methods before anything is trained; return what was found, in lines."""
        ...

    def make_serving_base(self, plan: Plan) -> None:
        """Make the base that an engine serves, if it is missing."""
        ...

    def answer(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        """Answer and check, one process per share of system names; return the peaks."""
        ...

    def check(self, plan: Plan, names: list[str]) -> None:
        """Check stored answers of the named systems with the implementation that trains."""
        ...

    def score(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        """Score all given answers, one process per share of system names; return the peaks."""
        ...

    def differentiate(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        """Measure norms of gradients, one process per share of system names; return the peaks."""
        ...

    def read(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        """Let Vanilla read systems' answers, one process per share of names; return the peaks."""
        ...

    def judge(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        """Let the judge read systems' answers, one process per share; return the peaks."""
        ...

    def optimise(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        """Optimise pictures, one process per share of attacks; return the peaks."""
        ...

    def probe_heads(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        """Train heads on hidden states, one process per share of attacks; return the peaks."""
        ...

    def attack(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        """Ask systems under attack, one process per share of attacks; return the peaks."""
        ...


class LocalWork:
    """Does the work in processes of this machine; a process imports what it needs by itself."""

    def train(
        self, manifest: Manifest, jobs: Sequence[Job]
    ) -> Generator[tuple[Job, JobRecord], None, None]:
        return run_jobs(manifest, jobs)

    def require_ready(self, plan: Plan) -> list[str]:
        from kit.preflight import ready

        return isolated(ready.require_ready, plan, place="check of base and records")

    def require_methods(self, plan: Plan) -> list[str]:
        from kit.preflight import methods, tried

        waiting = [job.name for job in tried.untried(plan)]
        workers = min(plan.manifest.compute.workers, len(waiting))
        shares = [(plan, waiting[number::workers]) for number in range(workers)]
        places = ["trial of the methods"] * workers
        found = scatter(methods.require_methods, shares, places) if shares else []
        return [line for lines in found for line in lines]

    def make_serving_base(self, plan: Plan) -> None:
        from kit.evaluation import serving

        isolated(serving.make_serving_base, plan, place="evaluate, base for the engine")

    def answer(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        from kit.evaluation import worker

        return scatter(worker.answer_systems, [(plan, names) for names in shares], _places(shares))

    def check(self, plan: Plan, names: list[str]) -> None:
        from kit.evaluation.guards import agreement

        isolated(agreement.check_systems, plan, names, place=_places([names])[0])

    def score(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        from kit.evaluation import scoring

        return scatter(scoring.score_systems, [(plan, names) for names in shares], _places(shares))

    def differentiate(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        from kit.evaluation import gradients

        arguments = [(plan, names) for names in shares]
        return scatter(gradients.measure_gradients, arguments, _places(shares))

    def read(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        from kit.evaluation import reading

        return scatter(reading.read_answers, [(plan, names) for names in shares], _places(shares))

    def judge(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        from kit.evaluation import judging

        return scatter(judging.judge_answers, [(plan, names) for names in shares], _places(shares))

    def optimise(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        from kit.evaluation import optimising

        places = [f"attack, pictures of {len(names)} attacks on systems" for names in shares]
        arguments = [(plan, names) for names in shares]
        return scatter(optimising.optimise_pictures, arguments, places)

    def probe_heads(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        from kit.evaluation import probing

        places = [f"attack, heads of {len(names)} systems" for names in shares]
        return scatter(probing.probe_heads, [(plan, names) for names in shares], places)

    def attack(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        from kit.evaluation import attacking

        places = [f"attack, {len(names)} attacks on systems" for names in shares]
        return scatter(attacking.answer_attacks, [(plan, names) for names in shares], places)


def _places(shares: Sequence[list[str]]) -> list[str]:
    """Return what each process works on, for messages."""
    return [f"evaluate, system{'s' * (len(names) > 1)} {', '.join(names)}" for names in shares]


LOCAL: Work = LocalWork()
