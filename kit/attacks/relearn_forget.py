"""Relearn a share of the forget set, and ask about the rest: does the rest come back with it?

The share is of records, or of whole people (or events). With whole subjects, nothing that is asked
about has been seen by the attacker. Relearning on 1 to 100 % of the forget set is the
in-distribution attack of arXiv 2605.26992; that nothing relearned is asked is the kit's own.
"""

from dataclasses import dataclass

from kit.attacks.attack import subject_of
from kit.attacks.relearning import Relearning, drawn
from kit.benchmarks.records import Benchmark


@dataclass(frozen=True)
class RelearnForget(Relearning):
    """Trains on a share of what was forgotten."""

    subjects: bool = False
    """True: the share is of people (or events), each with all of its records."""

    def pool(self, benchmark: Benchmark, target: str) -> tuple[str, ...]:
        forget = benchmark.splits[target].forget
        order = drawn(forget, target)
        if not self.subjects:
            return order
        of = {name: subject_of(benchmark.records[name]) for name in order}
        people = drawn(tuple(sorted(set(of.values()))), target, "subjects")
        return tuple(sorted(order, key=lambda name: people.index(of[name])))


ATTACK = RelearnForget
