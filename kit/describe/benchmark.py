"""What is in a benchmark, as a person wants to see it before any training: sets and samples.

The counts are those of the records that the stages use, in the benchmark's own headings. A column
that a table prints and that has no records is shown as empty, and a set that no table prints is
shown as well: both are how a wrong split looks.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from kit import benchmarks
from kit.benchmarks.parquet import Place
from kit.benchmarks.protocol import Protocol
from kit.benchmarks.records import Benchmark, Record
from kit.experiment.manifest import Manifest
from kit.sources.datasets import image_name
from kit.streams import sample

SAMPLES = 2


@dataclass(frozen=True)
class EvaluatedSet:
    """The records behind one printed column of one target.

    `label` is the short name in a table's head, `title` says it in words. `cluster` is what
    intervals resample and `named` how many of these there are; of nobody are `single` records, each
    of which is resampled on its own.
    """

    target: str
    part: str
    column: str
    label: str
    title: str
    ids: tuple[str, ...]
    cluster: str
    named: int
    single: int
    with_image: int
    printed: bool


@dataclass(frozen=True)
class TrainingSet:
    """Records that something is trained on; without a target they are the same for all."""

    name: str
    target: str
    records: int
    people: int
    with_image: int


@dataclass(frozen=True)
class Sample:
    """One question of a set; `image` is named as in a result."""

    label: str
    title: str
    id: str
    question: str
    answer: str
    image: str
    candidates: tuple[str, ...]
    paraphrase: str


@dataclass(frozen=True)
class Description:
    """All that `data describe` prints, the contact sheet aside."""

    title: str
    run_name: str
    benchmark: str
    records: int
    targets: dict[str, str]
    sets: tuple[EvaluatedSet, ...]
    training: tuple[TrainingSet, ...]
    left_out: tuple[str, ...]
    samples: tuple[Sample, ...]


def describe(manifest: Manifest, places: Mapping[str, Place], benchmark: Benchmark) -> Description:
    """Count and sample the sets of a loaded benchmark whose sources lie at `places`."""
    protocol = benchmarks.protocol(manifest.benchmark.loader)
    sets = evaluated_sets(benchmark, protocol)
    return Description(
        manifest.title,
        manifest.run_name,
        benchmark.name,
        len(benchmark.records),
        {target: protocol.targets[target].title for target in benchmark.splits},
        sets,
        tuple(_training(benchmark)),
        benchmark.notes,
        tuple(_samples(sets, benchmark, dict(places))),
    )


def evaluated_sets(benchmark: Benchmark, protocol: Protocol) -> tuple[EvaluatedSet, ...]:
    """Return every column that a table prints, in its order, then the sets that none prints."""
    found = []
    for target, split in benchmark.splits.items():
        printed = protocol.targets[target].columns
        for part, column in (*printed, *(key for key in split.evaluation if key not in printed)):
            group, heading = protocol.parts[part], protocol.headings[column]
            ids = split.evaluation.get((part, column), ())
            records = [benchmark.records[name] for name in ids]
            owners = [str(getattr(record, group.cluster)) for record in records]
            found.append(
                EvaluatedSet(
                    target,
                    str(part),
                    str(column),
                    f"{group.short}-{heading.short}",
                    f"{group.title}: {heading.title}",
                    ids,
                    group.cluster,
                    len(set(owners) - {""}),
                    owners.count(""),
                    _with_image(records),
                    (part, column) in printed,
                )
            )
    return tuple(found)


def shorten(text: str, limit: int) -> str:
    """Return `text` on one line of at most `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 3].rstrip()}..."


def _training(benchmark: Benchmark) -> Iterator[TrainingSet]:
    sets = [("finetune", "", benchmark.finetune)]
    for target, split in benchmark.splits.items():
        sets += [("forget", target, split.forget), ("retain", target, split.retain)]
    for name, target, ids in (*sets, ("rehearsal", "", benchmark.rehearsal)):
        records = [benchmark.records[key] for key in ids]
        people = {record.person for record in records} - {""}
        yield TrainingSet(name, target, len(records), len(people), _with_image(records))


def _samples(
    sets: Iterable[EvaluatedSet], benchmark: Benchmark, places: dict[str, Place]
) -> Iterator[Sample]:
    """Yield samples of each part and column, of the first target that has any records there."""
    seen = set()
    for each in sets:
        if each.label in seen or not each.ids:
            continue
        seen.add(each.label)
        drawn = sample(each.ids, min(SAMPLES, len(each.ids)), "describe", each.part, each.column)
        for record in (benchmark.records[name] for name in drawn):
            image = image_name(places, record.image) if record.image else ""
            yield Sample(
                each.label,
                each.title,
                record.id,
                record.question,
                record.answer,
                image,
                record.candidates,
                record.paraphrase,
            )


def _with_image(records: Iterable[Record]) -> int:
    return sum(record.image is not None for record in records)
