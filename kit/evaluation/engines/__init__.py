"""Engines answer requests: the same requests, the same greedy decoding, whichever engine."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.errors import GuardError


@dataclass(frozen=True)
class Request:
    """One question to one system; `prompt` is the rendered chat template."""

    record_id: str
    system: str
    prompt: str
    image: Path | None


@dataclass(frozen=True)
class Answer:
    """What a system said; `stop` is "eos", or "length" when it never ended by itself."""

    record_id: str
    system: str
    text: str
    tokens: int
    stop: str


def spoken(text: str) -> str:
    """Return a decoded answer without the space around it, and without a character cut in two.

    An answer that ends at its limit may end within a character of several tokens: one engine
    decodes what is there of it to U+FFFD, the other leaves it out.
    """
    return text.rstrip("\ufffd").strip()


def complete(requests: Iterable[Request], answers: Sequence[Answer]) -> Sequence[Answer]:
    """Return the answers once it is sure that every request has exactly one.

    Raises:
        GuardError: an answer is missing, doubled, or to a question that was not asked.
    """
    asked = Counter((request.system, request.record_id) for request in requests)
    given = Counter((answer.system, answer.record_id) for answer in answers)
    if wrong := sorted((asked - given) + (given - asked)):
        system, record_id = wrong[0]
        raise GuardError(
            f"the engine's answers are not those to the questions; differing: {len(wrong)}",
            expected=f"one answer of {system} to {record_id} for each time it is asked: "
            f"{asked[wrong[0]]}",
            found=given[wrong[0]],
            remedy="report it: the engine left an answer out or gave it twice",
        )
    return answers


def image_major(requests: Iterable[Request]) -> list[Request]:
    """Order requests by image, so that an image is processed once for all systems."""
    return sorted(requests, key=lambda r: (str(r.image or ""), r.record_id, r.system))
