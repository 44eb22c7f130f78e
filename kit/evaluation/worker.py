"""A worker process answers groups of systems and checks each before it answers the next."""

from collections.abc import Iterator, Sequence

from kit.evaluation.answering import answer_group
from kit.evaluation.engines import Engine
from kit.evaluation.guards.agreement import SecondLook
from kit.evaluation.questions import Questions
from kit.evaluation.serving import open_engine
from kit.experiment.manifest import Manifest
from kit.failures import at
from kit.model.memory import peak_memory
from kit.plan.jobs import Plan
from kit.plan.systems import System


def answer_systems(plan: Plan, names: Sequence[str]) -> int:
    """Answer the records of the named systems, publish each, and return the peak memory, bytes.

    Runs in a process of its own: engines set threads, seeds and caches for the whole process. A
    group is checked as soon as it is answered, so that wrong weights end the work after minutes.
    Where the device does not hold the engine and the 4-bit base together, they take turns.

    Raises:
        GuardError: a guard fails (kit/evaluation/guards).
    """
    systems = [system for system in plan.systems if system.name in names]
    questions = Questions.of(plan)
    look = SecondLook(plan, questions.benchmark)
    engine: Engine | None = None
    for group in groups_of(systems, plan.manifest):
        if engine is None:
            engine = open_engine(plan, systems, plan.manifest.evaluation.engine)
        with at(f"answering {', '.join(system.name for system in group)}"):
            answer_group(group, engine, questions)
        together = engine.leaves_room
        if not together:
            engine.close()
            engine = None
        look.check(group)
        if not together:
            look.release()
    return peak_memory()


def groups_of(systems: Sequence[System], manifest: Manifest) -> Iterator[Sequence[System]]:
    """Yield the systems that are answered together; a group is stored before the next begins."""
    size = 1 if manifest.evaluation.serving == "merged" else manifest.evaluation.max_adapters
    for start in range(0, len(systems), size):
        yield systems[start : start + size]
