"""Parts of a table: kinds of questions, each asked with an image and in text alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kit.benchmarks.protocol import Part
from kit.benchmarks.records import Column

IMAGE_QUESTION, TEXT_QUESTION = "image", "text"
_MODALITIES = {IMAGE_QUESTION: ("I", "with the image"), TEXT_QUESTION: ("T", "in text alone")}


@dataclass(frozen=True)
class Kind:
    """A kind of question. `headline` names the metric that heads each column."""

    name: str
    short: str
    title: str
    headline: Mapping[Column, str]

    def part(self, modality: str) -> str:
        """Return the name of the part that reports these questions in a modality."""
        return f"{self.name}-{modality}"


def parts_of(kinds: Iterable[Kind]) -> dict[str, Part]:
    """Return the parts of some kinds: of each, first with the image and then in text alone."""
    return {
        kind.part(modality): Part(
            kind.part(modality), f"{kind.short}{letter}", f"{kind.title} {given}", kind.headline
        )
        for kind in kinds
        for modality, (letter, given) in _MODALITIES.items()
    }
