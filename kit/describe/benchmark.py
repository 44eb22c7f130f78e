"""What is in a benchmark, to look at before any training: sets, counts and samples.

The records counted are those that the stages use, under the benchmark's own headings. Table columns
without records, and sets that are in no table, are shown too: they are signs of a wrong split.
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
    """The records of one table column and one target.

    `label` is the short name in the table's head, `title` the full one. Intervals resample whole
    clusters: all records with the same `cluster` ("person" or "event"), of which there are `named`.
    `single` records belong to no cluster, and each is resampled on its own. `printed` is whether a
    table prints the column.
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
    """Records used for training; `target` is "" if they are the same for all targets."""

    name: str
    target: str
    records: int
    people: int
    with_image: int


@dataclass(frozen=True)
class Sample:
    """One question of a set; `image` is the image's name in a result."""

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
    """Everything that `data describe` prints, except the contact sheet."""

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
    """Count and sample the sets of a loaded benchmark.

    Args:
        manifest: names the loader and the targets.
        places: where its sources lie, by source name.
        benchmark: the loaded records.
    """
    protocol = benchmarks.planned_protocol(manifest)
    sets = evaluated_sets(benchmark, protocol)
    return Description(
        manifest.title,
        manifest.run_name,
        benchmark.name,
        len(benchmark.records),
        {target: protocol.targets[target].title for target in benchmark.splits},
        sets,
        tuple(_training(benchmark)),
        (*benchmark.notes, *map(str, benchmark.left_out)),
        tuple(_samples(sets, benchmark, dict(places))),
    )


def evaluated_sets(benchmark: Benchmark, protocol: Protocol) -> tuple[EvaluatedSet, ...]:
    """Return the columns of the tables, in their order, then the sets that are in no table."""
    found = []
    for target, split in benchmark.splits.items():
        printed = protocol.targets[target].columns
        there = [key for key in printed if key not in benchmark.absent]
        for part, column in (*there, *(key for key in split.evaluation if key not in printed)):
            group, heading = protocol.parts[part], protocol.headings[column]
            ids = split.evaluation.get((part, column), ())
            records = [benchmark.records[name] for name in ids]
            owners = [str(getattr(record, group.cluster)) for record in records]
            found.append(
                EvaluatedSet(
                    target,
                    str(part),
                    str(column),
                    protocol.key(target, part, column),
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
    """Yield samples of each part and column, from the first target with records there."""
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
