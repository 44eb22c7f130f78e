"""Answer all questions to a group of systems, and store the answers that pass the guards."""

from collections.abc import Sequence

from kit.console import say
from kit.evaluation.answers_file import write_answers
from kit.evaluation.engines import Answer, Engine, require_complete
from kit.evaluation.guards.effect import require_effects
from kit.evaluation.guards.prompts import require_prompts
from kit.evaluation.questions import Questions
from kit.plan.systems import System


def answer_group(group: Sequence[System], engine: Engine, questions: Questions) -> None:
    """Ask a group of systems all of their questions and publish the answers of each.

    Raises:
        GuardError: the engine reads other prompts than training does, an adapter has no effect, or
            answers do not match the questions.
    """
    effects = require_effects(group, engine, questions)
    require_prompts(group, engine, questions)
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
