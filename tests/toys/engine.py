"""An engine that needs no model, and the plan whose systems it serves; it can misbehave."""

from collections.abc import Sequence
from typing import ClassVar

from kit.evaluation.engines import Adapters, Answer, FirstLogprobs, Request
from kit.experiment.manifest import Manifest
from kit.plan.jobs import Plan, System
from tests.toys.dataset import manifest


class ToyEngine:
    """Answers with the system's name; an adapter moves the first token by `shift` nats each.

    `lost` first answers are missing, `doubled` first answers come twice; a `blind` engine shows no
    log-probabilities.
    """

    dequantised: ClassVar[bool] = False

    def __init__(
        self,
        adapters: Adapters,
        *,
        shift: float = 0.5,
        lost: int = 0,
        doubled: int = 0,
        blind: bool = False,
    ) -> None:
        self.adapters, self.shift = adapters, shift
        self.lost, self.doubled, self.blind = lost, doubled, blind
        self.record: dict[str, object] = {"engine": "toy"}
        self.asked: list[Request] = []

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        self.asked += requests
        answers = [Answer(r.record_id, r.system, f"I am {r.system}", 3, "eos") for r in requests]
        return answers[self.lost :] + answers[: self.doubled]

    def first_logprobs(self, requests: Sequence[Request]) -> FirstLogprobs | None:
        if self.blind:
            return None
        return {
            (r.system, r.record_id): {
                7: -1.0 - self.shift * len(self.adapters[r.system]),
                8: -9.0,
            }
            for r in requests
        }


def smoke(**sections) -> Manifest:
    """The smoke manifest over the toy data set, with other values in some sections."""
    evaluation = {"agreement_sample": 60, **sections.pop("evaluation", {})}
    return manifest(finetune={"rehearsal": 0.0}, evaluation=evaluation, **sections)


def serve(plan: Plan, **behaviour) -> ToyEngine:
    """Return a toy engine that serves every system of the plan."""
    adapters = {system.name: tuple(a.path for a in system.adapters) for system in plan.systems}
    return ToyEngine({"": (), **adapters}, **behaviour)


def named(plan: Plan, name: str) -> System:
    """Return the system of that name."""
    (found,) = [system for system in plan.systems if system.name == name]
    return found
