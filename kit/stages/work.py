"""The work that stages hand to worker processes: one method for each kind of work.

Tests give a stage another `Work`, which needs no model and no process.
"""

from collections.abc import Callable, Generator, Sequence
from typing import Protocol, TypeVar

from kit.experiment.manifest import Manifest
from kit.plan.jobs import Job, Plan
from kit.stages.crew import together, train_together
from kit.stages.workers import JobRecord, isolated, run_jobs, scatter

T = TypeVar("T")


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
    """Does the work in processes of this machine; a process imports what it needs by itself.

    What computes with the base of training is done by `compute.shards` processes that share it.
    """

    def train(
        self, manifest: Manifest, jobs: Sequence[Job]
    ) -> Generator[tuple[Job, JobRecord], None, None]:
        shared = manifest.compute.shards > 1
        return train_together(manifest, jobs) if shared else run_jobs(manifest, jobs)

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

        arguments, cards = [(plan, names) for names in shares], _cards(plan)
        return scatter(worker.answer_systems, arguments, _places(shares), cards)

    def check(self, plan: Plan, names: list[str]) -> None:
        from kit.evaluation.guards import agreement

        _with_base(plan, agreement.check_systems, [names], _places([names]))

    def score(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        from kit.evaluation import scoring

        return _with_base(plan, scoring.score_systems, shares, _places(shares))

    def differentiate(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        from kit.evaluation import gradients

        return _with_base(plan, gradients.measure_gradients, shares, _places(shares))

    def read(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        from kit.evaluation import reading

        return _with_base(plan, reading.read_answers, shares, _places(shares))

    def judge(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        from kit.evaluation import judging

        return scatter(judging.judge_answers, [(plan, names) for names in shares], _places(shares))

    def optimise(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        from kit.evaluation import optimising

        places = [f"attack, pictures of {len(names)} attacks on systems" for names in shares]
        return _with_base(plan, optimising.optimise_pictures, shares, places)

    def probe_heads(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        from kit.evaluation import probing

        places = [f"attack, heads of {len(names)} systems" for names in shares]
        return _with_base(plan, probing.probe_heads, shares, places)

    def attack(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        from kit.evaluation import attacking

        places = [f"attack, {len(names)} attacks on systems" for names in shares]
        arguments = [(plan, names) for names in shares]
        return scatter(attacking.answer_attacks, arguments, places, _cards(plan))


def _with_base(
    plan: Plan,
    function: Callable[[Plan, list[str]], T],
    shares: Sequence[list[str]],
    places: Sequence[str],
) -> list[T]:
    """Call a function that computes with the base of training once per share of names."""
    arguments = [(plan, names) for names in shares]
    return together(function, arguments, places, plan.manifest.compute.shards)


def _cards(plan: Plan) -> int:
    """Return how many GPUs an engine is spread over."""
    return plan.manifest.evaluation.tensor_parallel_size


def _places(shares: Sequence[list[str]]) -> list[str]:
    """Return what each process works on, for messages."""
    return [f"evaluate, system{'s' * (len(names) > 1)} {', '.join(names)}" for names in shares]


LOCAL: Work = LocalWork()
