"""A worker process asks systems under attack, checks a sample of the answers, and stores them.

An attack without gradients only asks something else: all of its questions to a system go to the
engine together, with those of other attacks. An attack that trains asks another adapter.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from kit.artifacts import cache_root
from kit.attacks.weights import WeightAttack
from kit.benchmarks.records import Record
from kit.console import say
from kit.evaluation.asking import Asked, ask, require_asked
from kit.evaluation.attacked_file import write_attacked
from kit.evaluation.engines import Answer, Engine, Request, require_complete
from kit.evaluation.guards.agreement import Given, SecondLook
from kit.evaluation.guards.prompts import require_same_prompts
from kit.evaluation.questions import Questions
from kit.evaluation.serving import open_engine
from kit.experiment.manifest import EvaluationSection, Manifest
from kit.failures import at
from kit.model.memory import peak_memory
from kit.plan.attacks import AttackJob, attack_jobs
from kit.plan.jobs import Plan
from kit.plan.systems import System
from kit.streams import sample

CHECKED = 4  # answers of each served system that are read again, beside those of `evaluate`


def answer_attacks(plan: Plan, names: Sequence[str]) -> int:
    """Answer the attacks whose answers have these names; return the peak memory, bytes.

    Runs in a process of its own.

    Raises:
        GuardError: a guard fails (kit/evaluation/guards).
    """
    jobs = [job for job in attack_jobs(plan) if job.answers.name in names]
    section = plan.manifest.evaluation
    # An engine of adapters has room for those of every attack, whichever are asked here: the room
    # that it has may change last bits.
    beside = [job for job in attack_jobs(plan) if on_adapters(job, section) and is_trained(job)]
    room = beside if all(on_adapters(job, section) for job in jobs) else []
    served = {system.name: system for job in (*jobs, *room) for system in served_by(job)}
    attacked = replace(plan, systems=tuple(served.values()))
    questions = Questions.of(plan)
    look, shards = SecondLook(attacked, questions.benchmark), plan.manifest.compute.shards
    if shards > 1:
        say("  no second look at attacked answers: the base of training is on several cards")
    if any(isinstance(job.attack, WeightAttack) for job in jobs):
        attacked = replace(attacked, manifest=serving_merged(plan.manifest))
    engine = open_engine(attacked, attacked.systems, plan.manifest.evaluation.engine)
    for job in jobs:
        if isinstance(job.attack, WeightAttack):
            for level in job.entry.levels:
                change = partial(job.attack.weights, level=level)
                engine.change_weights(job.served(level).name, change)
    for group in groups_of(jobs, attacked.manifest.evaluation):
        with at(f"attacking {', '.join(dict.fromkeys(job.system.name for job in group))}"):
            _answer(group, plan, engine, questions, look if shards == 1 else None)
    return peak_memory()


def served_by(job: AttackJob) -> Iterator[System]:
    """Yield the systems that answer an attack: one for each level that has an adapter."""
    yield from (job.served(level) for level in job.entry.levels)


def on_adapters(job: AttackJob, section: EvaluationSection) -> bool:
    """Return whether an engine that holds adapters answers an attack: none changes weights."""
    return section.serving != "merged" and not isinstance(job.attack, WeightAttack)


def is_trained(job: AttackJob) -> bool:
    """Return whether every adapter that answers an attack is there."""
    return all(each.done for system in served_by(job) for each in system.adapters)


def serving_merged(manifest: Manifest) -> Manifest:
    """Return a manifest whose engine serves merged weights, as attacks on weights need it."""
    section = manifest.evaluation.model_copy(update={"serving": "merged"})
    return manifest.model_copy(update={"evaluation": section})


def groups_of(jobs: Sequence[AttackJob], section: EvaluationSection) -> Iterator[list[AttackJob]]:
    """Yield the jobs that are answered together: those of as many systems as an engine holds."""
    size = 1 if section.serving == "merged" else section.max_adapters
    group: list[AttackJob] = []
    names: set[str] = set()
    for job in jobs:
        own = {system.name for system in served_by(job)}
        if group and len(names | own) > size and job.system.name != group[-1].system.name:
            yield group
            group, names = [], set()
        group.append(job)
        names |= own
    if group:
        yield group


def _answer(
    group: Sequence[AttackJob],
    plan: Plan,
    engine: Engine,
    questions: Questions,
    look: SecondLook | None,
) -> None:
    asked = [each for job in group for each in ask(job, plan, questions.benchmark, _pictures(plan))]
    for job in group:
        require_asked(job, {each.level for each in asked if each.job is job})
    requests = {each.request.record_id: each.request for each in asked}
    require_same_prompts(
        [
            requests[name]
            for name in sample(sorted(requests), min(CHECKED, len(requests)), "attack")
        ],
        engine,
        questions.processor,
    )
    answers = answer_once(list(requests.values()), engine)
    for job in group:
        own = [each for each in asked if each.job is job]
        found = _look_again(job, own, answers, look)
        rows = [_row(each, answers[each.request.record_id]) for each in own]
        write_attacked(rows, job.answers.partial)
        job.answers.publish({"stage": "attack", "answers": len(own), **found})


def answer_once(requests: Sequence[Request], engine: Engine) -> dict[str, Answer]:
    """Return {record id: answer}; what is the same question to the same system is asked once.

    Vanilla is attacked for every target, and targets share records.

    Raises:
        GuardError: the engine's answers do not match the questions.
    """
    alike = {r.record_id: (r.system, r.record.question, r.record.image) for r in requests}
    first = {alike[request.record_id]: request for request in reversed(requests)}
    asked = list(first.values())
    said = require_complete(asked, engine.answer(asked))
    given = {alike[answer.record_id]: answer for answer in said}
    return {name: given[key] for name, key in alike.items()}


def _pictures(plan: Plan) -> Path:
    folder = cache_root() / "scratch" / f"{plan.manifest.run_name}-attacked"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _look_again(
    job: AttackJob, asked: Sequence[Asked], answers: dict[str, Answer], look: SecondLook | None
) -> dict[str, object]:
    """Read a few answers of each served system with the implementation that trains, if there is.

    Args:
        look: None where this process does not hold the base of training.
    """
    largest = []
    # No implementation but the engine has changed weights.
    if look is None or isinstance(job.attack, WeightAttack):
        return {"largest_nats": None}
    for system in {each.name: each for each in served_by(job)}.values():
        own = {each.request.record_id: each for each in asked if each.request.system == system.name}
        chosen = sample(sorted(own), min(CHECKED, len(own)), "attack", system.name)
        given = [Given(own[name].request.record, answers[name].ids) for name in chosen]
        if given:
            largest.append(look.furthest(system, given))
    return {"largest_nats": round(max(largest, default=0.0), 6)}


def _row(each: Asked, answer: Answer) -> tuple[object, ...]:
    record: Record = each.request.record
    return (
        each.job.system.name, each.job.target, each.job.entry.name, each.level, each.record_id,
        record.question, each.picture, answer.text, len(answer.ids), answer.stop,
    )  # fmt: skip
