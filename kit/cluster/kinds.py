"""The kinds of work that a node does, which artifacts each makes, and which function makes them.

They are the methods of `kit.stages.work.Work`, and named like them. An interpreter does one piece
of work and ends. Only the engine that answers is kept.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING

from kit.artifacts import Artifact
from kit.cluster.interpreter import TRAIN
from kit.errors import EnvironmentFault
from kit.plan.attacks import attack_jobs
from kit.plan.jobs import Job, Plan
from kit.plan.systems import SCORES

if TYPE_CHECKING:
    from kit.evaluation.worker import Answering

ANSWER, SERVE, METHODS = "answer", "make_serving_base", "require_methods"
ATTACKING = ("optimise", "probe_heads", "attack")
# What does the other kinds of work; imported on the node.
OF_A_PLAN = {
    "require_ready": "kit.preflight.ready:require_ready",
    SERVE: "kit.evaluation.serving:make_serving_base",
}
OF_NAMES = {
    METHODS: "kit.preflight.methods:require_methods",
    "check": "kit.evaluation.guards.agreement:check_systems",
    "score": "kit.evaluation.scoring:score_systems",
    "differentiate": "kit.evaluation.gradients:measure_gradients",
    "read": "kit.evaluation.reading:read_answers",
    "judge": "kit.evaluation.judging:judge_answers",
    "optimise": "kit.evaluation.optimising:optimise_pictures",
    "probe_heads": "kit.evaluation.probing:probe_heads",
    "attack": "kit.evaluation.attacking:answer_attacks",
}
KINDS = (TRAIN, ANSWER, *OF_A_PLAN, *OF_NAMES)
MEASURES = dict(zip(("score", "differentiate", "read", "judge"), SCORES, strict=True))
"""{kind of work: what it measures}."""

Done = int | list[str] | None
"""What work returns: the peak memory in bytes, lines of a report, or nothing."""


def artifacts(kind: str, plan: Plan) -> dict[str, Artifact]:
    """Return what a kind of work makes in a plan: {name of the job, system or attack: artifact}.

    The trial of a method is named by an adapter that the method is to train.
    """
    if kind == TRAIN:
        return {job.name: job.artifact for job in trainings(plan)}
    if kind == METHODS:
        return {job.name: job.artifact for job in plan.unlearn}
    if kind == ANSWER:
        return {system.name: system.answers for system in plan.systems}
    if kind == "check":
        return {system.name: system.agreement for system in plan.systems}
    if kind == SERVE:
        return {plan.serving.name: plan.serving}
    if kind in MEASURES:
        return {
            s.name: s.scores[MEASURES[kind]] for s in plan.systems if MEASURES[kind] in s.scores
        }
    if kind == "optimise":
        return {j.answers.name: j.pictures for j in attack_jobs(plan) if j.pictures is not None}
    if kind in ATTACKING:
        return {job.answers.name: job.answers for job in attack_jobs(plan)}
    return {}


def systems_of(kind: str, plan: Plan) -> dict[str, str]:
    """Return {name of what a kind of work makes: the system that it is about}.

    What is about one system is done in one interpreter, which loads its adapters once.
    """
    if kind in ATTACKING:
        return {job.answers.name: job.system.name for job in attack_jobs(plan)}
    return {name: name for name in artifacts(kind, plan)}


def trainings(plan: Plan) -> Iterator[Job]:
    """Yield every training job of a plan, those of its attacks included."""
    yield from plan.jobs()
    for attack in attack_jobs(plan):
        yield from attack.relearned.values()


def names_of(kind: str, plan: Plan, digests: Sequence[str]) -> list[str]:
    """Return the names of artifacts by their digests, in the order of the plan.

    Raises:
        EnvironmentFault: this kit, with its packages and data, gives an artifact another digest.
    """
    made = artifacts(kind, plan)
    known = {artifact.digest for artifact in made.values()}
    if unknown := [digest for digest in digests if digest not in known]:
        raise EnvironmentFault(
            f"a node computes other digests than the driver for {len(unknown)} artifacts",
            expected=f"an artifact to {kind} with the digest {unknown[0][:16]}",
            found="other code, packages, checksum lists or files of the manifest on the node",
            remedy="give every node the same kit, environment and cache folder",
        )
    return [name for name, artifact in made.items() if artifact.digest in digests]


class Worker:
    """Does the work of one interpreter; keeps the engine that answers between pieces of work."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def do(self, kind: str, names: list[str]) -> Done:
        """Do one piece of work: make the artifacts of the names."""
        if kind == ANSWER:
            return self._answering.answer(names)
        if kind == TRAIN:
            self._train(names)
            return None
        if kind in OF_A_PLAN:
            return _function(OF_A_PLAN[kind])(self._plan)
        return _function(OF_NAMES[kind])(self._plan, names)

    @cached_property
    def _answering(self) -> "Answering":
        from kit.evaluation.worker import Answering

        return Answering(self._plan)

    def _train(self, names: list[str]) -> None:
        from kit.training.worker import Worker as Trainer

        trainer = Trainer(self._plan.manifest)
        for job in trainings(self._plan):
            if job.name in names:
                trainer.run(job)


def _function(place: str) -> Callable[..., Done]:
    module, name = place.split(":")
    function: Callable[..., Done] = getattr(import_module(module), name)
    return function
