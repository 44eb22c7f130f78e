"""Engines answer requests: the same requests and the same greedy decoding with every engine.

An engine is a module of this folder that ends with `ENGINE = <its class>`.
"""

import importlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from kit.benchmarks.records import Record
from kit.errors import GuardError
from kit.experiment.manifest import Manifest

if TYPE_CHECKING:
    from torch import Tensor

Adapters = Mapping[str, tuple[Path, ...]]
"""System -> the adapter folders that are added up to serve it; an empty tuple is the bare base."""

Change = Callable[[Mapping[str, "Tensor"]], Mapping[str, "Tensor"]]
"""From all weights of a merged model to those that differ, by the names of its checkpoint."""

Key = tuple[str, str]
"""(system, record id)"""


@dataclass(frozen=True)
class Request:
    """One question to one system; `record` is the record as this system is asked it."""

    record: Record
    system: str

    @property
    def record_id(self) -> str:
        """The id of the record."""
        return self.record.id


@dataclass(frozen=True)
class Answer:
    """A system's answer: its text, the tokens that were generated, and why generation stopped.

    `stop` is "eos" if the system ended the answer, "length" if the token limit cut it off. An end
    token is the last of `ids`.
    """

    record_id: str
    system: str
    text: str
    ids: tuple[int, ...]
    stop: str


@dataclass(frozen=True)
class Reading:
    """What an engine read as a prompt, image tokens included, and what it would say first."""

    prompt: tuple[int, ...]
    first: Mapping[int, float] | None
    """The likeliest first tokens and their log-probabilities, nats; None if it shows none."""


class Engine(Protocol):
    """Serves systems and answers requests to them. One process opens one engine.

    Args:
        base: folder of the base model, dequantised if the class says so.
        adapters: every system that will be asked.
        scratch: an empty folder for temporary files.

    `record` is what a result states about the engine, as JSON. `leaves_room` says whether the
    device still holds the 4-bit base while the engine is open.
    """

    dequantised: ClassVar[bool]
    record: dict[str, object]
    leaves_room: bool

    def __init__(
        self, manifest: Manifest, base: Path, adapters: Adapters, scratch: Path
    ) -> None: ...

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer every request greedily, in any order."""
        ...

    def read(self, requests: Sequence[Request]) -> dict[Key, Reading]:
        """Return what the engine reads and would say first, for every request."""
        ...

    def change_weights(self, system: str, change: Change) -> None:
        """Serve a system with other weights: what `change` makes of its merged ones.

        Raises:
            EnvironmentFault: the engine serves no merged weights.
        """
        ...

    def close(self) -> None:
        """Return the engine's memory to the device; it cannot be asked any more."""
        ...


def engine_class(name: str) -> type[Engine]:
    """Return the class of the engine `name`, which a manifest has checked to exist."""
    engine: type[Engine] = importlib.import_module(f"kit.evaluation.engines.{name}").ENGINE
    return engine


def spoken(text: str) -> str:
    """Return a decoded answer without surrounding space and without a truncated last character.

    The token limit may cut a character of several tokens in two. One engine decodes the first part
    to U+FFFD, the other leaves it out.
    """
    return text.rstrip("\ufffd").strip()


def require_complete(requests: Iterable[Request], answers: Sequence[Answer]) -> Sequence[Answer]:
    """Return the answers after checking that every request has exactly one.

    Raises:
        GuardError: an answer is missing, doubled, or to a question that was not asked.
    """
    asked = Counter((request.system, request.record_id) for request in requests)
    given = Counter((answer.system, answer.record_id) for answer in answers)
    if wrong := sorted((asked - given) + (given - asked)):
        system, record_id = wrong[0]
        raise GuardError(
            f"the engine's answers do not match the questions; differing: {len(wrong)}",
            expected=f"answers of {system} to {record_id}: {asked[wrong[0]]}",
            found=given[wrong[0]],
            remedy="report it: the engine lost an answer or gave it twice",
        )
    return answers


def image_major(requests: Iterable[Request]) -> list[Request]:
    """Order requests by image, so that each image is processed once for all systems."""
    return sorted(requests, key=lambda r: (str(r.record.image or ""), r.record_id, r.system))
