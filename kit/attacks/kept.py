"""Records that are kept, for attacks that show some of them beside a question."""

from kit.attacks.attack import Around
from kit.benchmarks.records import Record


def kept_like(record: Record, around: Around) -> list[Record]:
    """Return the retain records that ask for the same as `record`; where none does, all of them.

    MLLMU-Bench trains on free answers alone, and asks multiple-choice and cloze questions as well.
    """
    records = [around.benchmark.records[name] for name in around.split.retain]
    return [each for each in records if each.concept is record.concept] or records
