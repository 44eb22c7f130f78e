"""Relearn from related data: the retain set. Nothing of the forget set is seen.

Relearning on the retain set is the benign fine-tuning of arXiv 2406.13356; the share is the kit's
own.
"""

from dataclasses import dataclass

from kit.attacks.relearning import Relearning, drawn
from kit.benchmarks.records import Benchmark


@dataclass(frozen=True)
class RelearnRelated(Relearning):
    """Trains on a share of the retain set."""

    def pool(self, benchmark: Benchmark, target: str) -> tuple[str, ...]:
        return drawn(benchmark.splits[target].retain, target)


ATTACK = RelearnRelated
