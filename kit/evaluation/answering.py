"""Answer every record with every system, in groups, and store the answers that pass the guards."""

from collections.abc import Iterable, Sequence

from kit.console import say
from kit.evaluation.answers_file import write_answers
from kit.evaluation.engines import Answer, Engine, require_complete
from kit.evaluation.guards import require_effects
from kit.evaluation.questions import Questions
from kit.evaluation.serving import open_engine
from kit.experiment.manifest import Manifest
from kit.model.memory import peak_memory
from kit.plan.jobs import Plan, System


def answer_systems(plan: Plan, names: Sequence[str]) -> int:
    """Answer the records of the named systems, publish each, and return the peak memory, bytes.

    Runs in a process of its own: engines set threads, seeds and caches for the whole process.
    """
    systems = [system for system in plan.systems if system.name in names]
    questions = Questions.of(plan)
    engine = open_engine(plan, systems, plan.manifest.evaluation.engine)
    for group in _groups(systems, plan.manifest):
        answer_group(group, engine, questions)
    return peak_memory()


def _groups(systems: list[System], manifest: Manifest) -> Iterable[list[System]]:
    """Yield the systems that are answered together; a group is stored before the next begins."""
    size = 1 if manifest.evaluation.serving == "merged" else manifest.evaluation.max_adapters
    for start in range(0, len(systems), size):
        yield systems[start : start + size]


def answer_group(group: Sequence[System], engine: Engine, questions: Questions) -> None:
    """Ask a group of systems all of their questions and publish the answers of each.

    Raises:
        GuardError: an adapter has no effect, or answers do not match the questions.
    """
    effects = require_effects(group, engine, questions)
    requests = [request for system in group for request in questions.requests(system)]
    answers: dict[str, list[Answer]] = {system.name: [] for system in group}
    for answer in require_complete(requests, engine.answer(requests)):
        answers[answer.system].append(answer)
    for system in group:
        write_answers(answers[system.name], system.answers.partial)
        system.answers.publish(
            {"stage": "evaluate", "canary": effects.get(system.name), "engine": engine.record}
        )
    say(f"  answered {', '.join(answers)}")
