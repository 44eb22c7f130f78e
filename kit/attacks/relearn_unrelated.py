"""Relearn from unrelated data: general knowledge that no split asks about.

arXiv 2605.26992 fine-tunes on pictures of another data set (PACS) in the same way. Here it is the
benchmark's rehearsal data.
"""

from dataclasses import dataclass

from kit.attacks.relearning import Relearning, drawn
from kit.benchmarks.records import Benchmark
from kit.errors import ManifestError


@dataclass(frozen=True)
class RelearnUnrelated(Relearning):
    """Trains on a share of the rehearsal data."""

    def pool(self, benchmark: Benchmark, target: str) -> tuple[str, ...]:
        if not benchmark.rehearsal:
            raise ManifestError(
                f"the benchmark '{benchmark.name}' has no data for the attack 'relearn_unrelated'",
                expected="a benchmark with rehearsal data",
                found="no record to rehearse",
                remedy="remove this attack, or use 'relearn_related'",
            )
        return drawn(benchmark.rehearsal, "general")


ATTACK = RelearnUnrelated
