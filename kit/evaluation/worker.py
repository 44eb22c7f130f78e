"""A worker process answers groups of systems and checks each before it answers the next."""

from collections.abc import Iterator, Sequence

from kit.evaluation.answering import answer_group
from kit.evaluation.culprit import naming
from kit.evaluation.engines import Engine
from kit.evaluation.guards.agreement import SecondLook
from kit.evaluation.questions import Questions
from kit.evaluation.serving import open_engine
from kit.experiment.manifest import Manifest
from kit.failures import at
from kit.model.memory import peak_memory
from kit.plan.jobs import Plan
from kit.plan.systems import System, together


def answer_systems(plan: Plan, names: Sequence[str]) -> int:
    """Answer the records of the named systems, publish each, and return the peak memory, bytes.

    Runs in a process of its own: engines set threads, seeds and caches for the whole process. A
    group is checked as soon as it is answered, so that wrong weights end the work after minutes.
    Where the device does not hold the engine and the 4-bit base together, they take turns. A base
    of several cards is not loaded here: `check_systems` looks at the answers after all are given.

    Raises:
        GuardError: a guard fails (kit/evaluation/guards).
        EnvironmentFault: the engine fails at one question, which the error names.
    """
    return Answering(plan).answer(names)


class Answering:
    """Answers and checks systems of a plan; keeps engine and 4-bit base from call to call."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._questions = plan, Questions.of(plan)
        self._look = SecondLook(plan, self._questions.benchmark)
        self._engine: Engine | None = None

    def answer(self, names: Sequence[str]) -> int:
        """Answer, check and publish as `answer_systems`, in the process that called first."""
        systems = [system for system in self._plan.systems if system.name in names]
        for group in groups_of(systems, self._plan.manifest):
            if self._engine is None:
                engine = self._plan.manifest.evaluation.engine
                self._engine = open_engine(self._plan, systems, engine)
            with at(f"answering {', '.join(system.name for system in group)}"):
                answer_group(group, naming(self._engine), self._questions)
            beside = self._engine.leaves_room
            if not beside:
                self._engine.close()
                self._engine = None
            if self._plan.manifest.compute.shards > 1:
                continue  # processes that share the base look at the answers afterwards
            self._look.check(group)
            if not beside:
                self._look.release()
        return peak_memory()


def groups_of(
    systems: Sequence[System], manifest: Manifest, engines: int = 1
) -> Iterator[Sequence[System]]:
    """Yield the systems that are answered together; a group is stored before the next begins.

    Args:
        engines: that answer groups at the same time.
    """
    size = together(manifest.evaluation, len(systems), engines)
    for start in range(0, len(systems), size):
        yield systems[start : start + size]
