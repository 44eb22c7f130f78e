"""Relearn a share of the forget set, and ask about the rest: does the rest come back with it?

The share is of records, or of whole people (or events). With whole subjects, nothing that is asked
about has been seen by the attacker. Relearning on 1 to 100 % of the forget set is the
in-distribution attack of arXiv 2605.26992; that nothing relearned is asked is the kit's own.
"""

from dataclasses import dataclass

from kit.attacks.attack import Around, subject_of
from kit.attacks.relearning import Relearning, drawn, share_of
from kit.benchmarks.records import Benchmark, Record


@dataclass(frozen=True)
class RelearnForget(Relearning):
    """Trains on a share of what was forgotten."""

    subjects: bool = False
    """True: the share is of people (or events), each with all of its records. No question about
    them is asked, unless all were relearned."""

    def pool(self, benchmark: Benchmark, target: str) -> tuple[str, ...]:
        return drawn(benchmark.splits[target].forget, target)

    def records(self, benchmark: Benchmark, target: str, level: float) -> tuple[str, ...]:
        if not self.subjects:
            return super().records(benchmark, target, level)
        of = {name: subject_of(benchmark.records[name]) for name in self.pool(benchmark, target)}
        people = share_of(drawn(tuple({*of.values()}), target, "subjects"), level)
        return tuple(sorted((n for n in of if of[n] in people), key=lambda n: people.index(of[n])))

    def applies(self, record: Record, level: float, around: Around) -> bool:
        if not self.subjects:
            return super().applies(record, level, around)
        known = around.benchmark.records
        relearned = self.records(around.benchmark, around.target, level)
        people, every = (
            {subject_of(known[name]) for name in names}
            for names in (relearned, around.split.forget)
        )
        return subject_of(record) not in people or every <= people


ATTACK = RelearnForget
