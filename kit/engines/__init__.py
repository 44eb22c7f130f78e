"""Engines answer requests: the same requests, the same greedy decoding, whichever engine."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


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


def image_major(requests: Iterable[Request]) -> list[Request]:
    """Order requests by image, so that an image is processed once for all systems."""
    return sorted(requests, key=lambda r: (str(r.image or ""), r.record_id, r.system))
