"""An engine that needs no model: it says what it was asked, and can be told to misbehave."""

from collections.abc import Sequence
from pathlib import Path

from kit.evaluation.engines import Answer, Request


class ToyEngine:
    """Answers with the system's name; an adapter moves the first token by `shift` nats each."""

    def __init__(
        self,
        adapters: dict[str, tuple[Path, ...]],
        *,
        shift: float = 0.5,
        lost: int = 0,
        doubled: int = 0,
    ) -> None:
        self.adapters, self.shift = adapters, shift
        self.lost, self.doubled = lost, doubled
        self.record = {"engine": "toy"}
        self.asked: list[Request] = []

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        self.asked += requests
        answers = [Answer(r.record_id, r.system, f"I am {r.system}", 3, "eos") for r in requests]
        return answers[self.lost :] + answers[: self.doubled]

    def first_logprobs(
        self, requests: Sequence[Request]
    ) -> dict[tuple[str, str], dict[int, float]]:
        return {
            (r.system, r.record_id): {
                7: -1.0 - self.shift * len(self.adapters[r.system]),
                8: -9.0,
            }
            for r in requests
        }
