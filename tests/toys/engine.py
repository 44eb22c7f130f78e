"""An engine that needs no model, and the plan whose systems it serves; it can misbehave."""

from collections.abc import Sequence
from typing import ClassVar

from kit.evaluation.engines import Adapters, Answer, Key, Reading, Request
from kit.experiment.manifest import Manifest
from kit.model.base import load_processor
from kit.model.prompts import PromptEncoder
from kit.plan.jobs import Plan
from kit.plan.systems import System
from kit.sources.datasets import base_folder
from tests.toys.dataset import manifest


class ToyEngine:
    """Answers with the system's name; an adapter moves the first token by `shift` nats each.

    `lost` first answers are missing, `doubled` first answers come twice; a `blind` engine shows no
    log-probabilities. It reads the tokens of `encoder`, after those of `prefix`. It `fails` at the
    records of these ids, and after `dies` failures at every one.
    """

    dequantised: ClassVar[bool] = False
    leaves_room = True

    def __init__(
        self,
        adapters: Adapters,
        *,
        shift: float = 0.5,
        lost: int = 0,
        doubled: int = 0,
        blind: bool = False,
        encoder: PromptEncoder | None = None,
        prefix: tuple[int, ...] = (),
        fails: Sequence[str] = (),
        dies: int = 1000,
    ) -> None:
        self.adapters, self.shift = adapters, shift
        self.lost, self.doubled, self.blind = lost, doubled, blind
        self.encoder, self.prefix = encoder, prefix
        self.fails, self.life = fails, dies
        self.record: dict[str, object] = {"engine": "toy"}
        self.asked: list[Request] = []

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        if self.life == 0 or any(r.record_id in self.fails for r in requests):
            self.life = max(0, self.life - 1)
            raise RuntimeError("index 3 is out of bounds")
        self.asked += requests
        answers = [
            Answer(r.record_id, r.system, f"I am {r.system}", (7, 8, 2), "eos") for r in requests
        ]
        return answers[self.lost :] + answers[: self.doubled]

    def read(self, requests: Sequence[Request]) -> dict[Key, Reading]:
        return {(r.system, r.record_id): self._reading(r) for r in requests}

    def close(self) -> None:
        self.asked = []

    def _reading(self, request: Request) -> Reading:
        prompt: list[int] = []
        if self.encoder:
            prompt = self.encoder(request.record.image, request.record.question).ids
        likeliest = {7: -1.0 - self.shift * len(self.adapters[request.system]), 8: -9.0}
        return Reading((*self.prefix, *prompt), None if self.blind else likeliest)


def smoke(**sections) -> Manifest:
    """The smoke manifest over the toy data set, with other values in some sections."""
    evaluation = {"agreement_sample": 60, **sections.pop("evaluation", {})}
    return manifest(finetune={"rehearsal": 0.0}, evaluation=evaluation, **sections)


def serve(plan: Plan, **behaviour) -> ToyEngine:
    """Return a toy engine that serves every system of the plan."""
    adapters = {system.name: tuple(a.path for a in system.adapters) for system in plan.systems}
    encoder = PromptEncoder(load_processor(base_folder(plan.manifest)))
    return ToyEngine({"": (), **adapters}, **{"encoder": encoder, **behaviour})


def named(plan: Plan, name: str) -> System:
    """Return the system of that name."""
    (found,) = [system for system in plan.systems if system.name == name]
    return found
