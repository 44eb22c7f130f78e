"""Which answers of a system the second look reads."""

from kit.benchmarks.records import Benchmark, Column
from kit.evaluation.questions import records_of
from kit.plan.systems import System
from kit.streams import sample


def sample_records(system: System, benchmark: Benchmark, size: int) -> set[str]:
    """Return up to `size` ids of a system's records, half of them about what is forgotten.

    A system differs from vanilla there, so that is where wrong weights show. They are the forget
    records. Where a benchmark asks other questions than it trains on, they are those of Efficacy.
    """
    ids = {record.id for record in records_of(system, benchmark)}
    named = [system.target] if system.target else list(benchmark.splits)
    splits = [benchmark.splits[target] for target in named]
    trained = {name for split in splits for name in split.forget} & ids
    efficacy = {
        name
        for split in splits
        for (_, column), asked in split.evaluation.items()
        if column is Column.EFFICACY
        for name in asked
    }
    forget = trained or efficacy
    chosen = sample(sorted(forget), min(size // 2, len(forget)), "agreement", system.name)
    others = sorted(ids - forget)
    wanted = min(size - len(chosen), len(others))
    return {*chosen, *sample(others, wanted, "agreement", system.name)}
