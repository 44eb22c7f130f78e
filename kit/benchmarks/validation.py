"""The validation part: images whose questions are asked for tuning and that no column reports.

A share of all images is drawn, the same for every column and every target. All questions about one
image are on one side, whatever they ask and in whatever words. So no answer that chose an option of
a method is reported. A question without an image is drawn on its own.

Training is not changed: an image of the forget set is unlearned on both sides, and a held-out image
is learned on neither.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from kit.benchmarks.records import Benchmark, Record, Split
from kit.errors import DataError
from kit.experiment.settings import TuneSection
from kit.streams import shuffled


def with_one_part(benchmark: Benchmark, section: TuneSection, seed: int) -> Benchmark:
    """Return the benchmark whose columns ask one part alone, as the section says.

    Args:
        benchmark: with whole columns.
        section: the section `[tune]` of the manifest.
        seed: the seed of the split.

    Raises:
        DataError: a column would have no record in one of the two parts.
    """
    chosen = validation_ids(benchmark, section.validation_percent, seed)
    asked = section.asks == "validation"
    splits = {}
    for target, split in benchmark.splits.items():
        _require_both_parts(split, chosen, section.validation_percent)
        evaluation = {
            place: tuple(name for name in ids if (name in chosen) == asked)
            for place, ids in split.evaluation.items()
        }
        splits[target] = replace(split, evaluation=evaluation)
    return replace(benchmark, splits=splits)


def validation_ids(benchmark: Benchmark, percent: int, seed: int) -> frozenset[str]:
    """Return the ids of all records of the validation part.

    Images are sorted by person, in random order within a person, and every n-th is taken: each
    person gives about the same share. The draw does not depend on the targets of the manifest.
    """
    rehearsed = set(benchmark.rehearsal)
    units = _units([each for each in benchmark.records.values() if each.id not in rehearsed])
    drawn = shuffled(sorted(units), "validation", seed)
    ordered = sorted(drawn, key=lambda name: benchmark.records[name].person)
    taken = [
        name
        for place, name in enumerate(ordered)
        if (place + 1) * percent // 100 > place * percent // 100
    ]
    return frozenset(record.id for name in taken for record in units[name])


def _units(records: Sequence[Record]) -> Mapping[str, Sequence[Record]]:
    """Return the records about each image, by the first of their ids: paths differ by machine."""
    shared: defaultdict[object, list[Record]] = defaultdict(list)
    for record in records:
        shared[record.image or record.id].append(record)
    return {min(each.id for each in found): found for found in shared.values()}


def _require_both_parts(split: Split, chosen: frozenset[str], percent: int) -> None:
    for (part, column), ids in split.evaluation.items():
        validation = sum(name in chosen for name in ids)
        if validation in (0, len(ids)) and ids:
            raise DataError(
                f"the column {split.target}/{part}/{column} has no record in the "
                f"{'validation' if not validation else 'reported'} part",
                expected="records for tuning and others for the report, in every column",
                found=f"{len(ids)} records, {validation} for tuning ({percent} % of images)",
                remedy="raise tune.validation_percent or split.max_per_column, or change "
                "split.seed; a column of one image cannot be divided",
            )
