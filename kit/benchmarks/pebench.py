"""PEBench (arXiv 2503.12545): people and events, from a CSV and one image folder a person.

The paper's sets: D^f is split into D^f_train, which unlearning sees, and D^f_test; Efficacy is
measured on the first, Generality on the second, Scope on the first but asking for the other
concept, Retain on D^r. PEBench published no split, prompts or ratios; those below are the kit's:
a forgotten person's images are divided by event and a forgotten event's by person, half and half,
so that D^f_test shows the same concept in other company.
"""

import csv
from collections.abc import Iterable
from pathlib import Path

from kit.errors import DataError, ManifestError
from kit.manifest import Columns, Manifest
from kit.records import Benchmark, Column, Concept, Record, Split, Target, by_id
from kit.streams import sample, shuffled

PERSON_QUESTION = "Who is this person?"
EVENT_QUESTION = "Describe the scene in detail."  # the query printed in the paper's Figure 3
PRESENCE_QUESTION = "Is there a {object} in the image?"  # POPE's form


def load(root: Path, manifest: Manifest) -> Benchmark:
    """Return all records and the split of each of the manifest's targets.

    Raises:
        DataError: a table is missing or lacks a column, or an image that it names is missing.
        ManifestError: the split forgets everybody or every event.
    """
    fictitious = _people_and_events(root, "PEBench.csv", "pebench", manifest.benchmark.columns)
    real = _people_and_events(root, "real.csv", "real", Columns())
    world = _presence(root, "world.csv", "world")
    general: list[Record] = []
    if manifest.finetune.rehearsal:
        general += _people_and_events(root, "general.csv", "general", Columns())
        general += _presence(root, "general.csv", "general")
    records = by_id([*fictitious, *real, *world, *general])
    splits = {
        target: _split(target, fictitious, real, world, manifest) for target in manifest.targets
    }
    return Benchmark(
        manifest.benchmark.loader,
        records,
        tuple(record.id for record in fictitious),
        splits,
        tuple(record.id for record in general),
    )


def _people_and_events(root: Path, table: str, prefix: str, columns: Columns) -> list[Record]:
    records = []
    for row in read_table(root / table, list(columns.model_dump().values())):
        image = _image(root, row[columns.file])
        person, event = row[columns.person], row[columns.event]
        keywords = tuple(word.strip() for word in row[columns.keywords].split(";") if word.strip())
        key = f"{prefix}/{row[columns.file]}"
        records += [
            Record(f"{key}#person", Concept.PERSON, PERSON_QUESTION, person, image, person, event),
            Record(
                f"{key}#event",
                Concept.EVENT,
                EVENT_QUESTION,
                row[columns.description],
                image,
                person,
                event,
                keywords,
            ),
        ]
    return records


def _presence(root: Path, table: str, prefix: str) -> list[Record]:
    return [
        Record(
            f"{prefix}/{row['file']}#presence",
            Concept.PRESENCE,
            PRESENCE_QUESTION.format(object=row["object"]),
            row["answer"],
            _image(root, row["file"]),
        )
        for row in read_table(root / table, ["file", "object", "answer"])
    ]


def read_table(path: Path, needed: list[str]) -> list[dict[str, str]]:
    """Read a CSV and check its columns.

    Raises:
        DataError: the file is missing, empty, not UTF-8, or lacks a needed column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            rows = list(reader)
    except FileNotFoundError:
        raise DataError(f"{path} is missing", remedy="run `./run.sh fetch`") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8", found=str(error)) from None
    present = list(reader.fieldnames or [])
    if missing := [name for name in needed if name not in present]:
        raise DataError(
            f"{path.name} has no column '{missing[0]}'",
            expected=", ".join(needed),
            found=", ".join(present),
            remedy="map the real columns in the manifest's [benchmark.columns]",
        )
    if not rows:
        raise DataError(f"{path} has no rows")
    for number, row in enumerate(rows, 2):
        if any(not row[name] for name in needed):
            raise DataError(f"{path.name}, line {number}: an empty or missing value", found=row)
    return rows


def _image(root: Path, name: str) -> Path:
    path = root / name
    if name.startswith("/") or ".." in Path(name).parts:
        raise DataError(f"image path '{name}' leaves the dataset's folder")
    if not path.is_file():
        raise DataError(f"image {path} is missing", remedy="run `./run.sh fetch`")
    return path


def _split(
    target: Target,
    fictitious: list[Record],
    real: list[Record],
    world: list[Record],
    manifest: Manifest,
) -> Split:
    seed, limit = manifest.split.seed, manifest.split.max_per_column
    names = _unique(record.person for record in fictitious)
    events = _unique(record.event for record in fictitious)
    _require_rest("forget_people", manifest.split.forget_people, len(names))
    _require_rest("forget_events", manifest.split.forget_events, len(events))
    forget_people = set(sample(names, manifest.split.forget_people, "forget people", seed))
    forget_events = set(sample(events, manifest.split.forget_events, "forget events", seed))
    people_seen = set(shuffled(names, "events: people in train", seed)[: len(names) // 2])
    events_seen = set(shuffled(events, "people: events in train", seed)[: len(events) // 2])
    concepts = [Concept.PERSON] if target is Target.PERSON else [Concept.EVENT]
    concepts = [Concept.PERSON, Concept.EVENT] if target is Target.BOTH else concepts

    def forgotten(record: Record, concept: Concept) -> bool:
        if concept is Concept.PERSON:
            return record.person in forget_people
        return record.event in forget_events

    def in_train(record: Record, concept: Concept) -> bool:
        return (
            record.event in events_seen
            if concept is Concept.PERSON
            else (record.person in people_seen)
        )

    kept = [r for r in fictitious if not any(forgotten(r, concept) for concept in concepts)]
    evaluation: dict[tuple[Concept, Column], tuple[str, ...]] = {}
    forget: list[str] = []

    def put(concept: Concept, column: Column, chosen: list[Record]) -> None:
        ids = [record.id for record in chosen]
        # One draw for all targets and columns of the same name: systems are compared on the
        # same records.
        name = f"{concept}/{column}"
        evaluation[concept, column] = tuple(sorted(sample(ids, min(limit, len(ids)), name, seed)))

    for concept in concepts:
        other = Concept.EVENT if concept is Concept.PERSON else Concept.PERSON
        chosen = [record for record in fictitious if forgotten(record, concept)]
        train = [record for record in chosen if in_train(record, concept)]
        test = [record for record in chosen if not in_train(record, concept)]
        forget += [record.id for record in train if record.concept is concept]
        put(concept, Column.EFFICACY, [r for r in train if r.concept is concept])
        put(concept, Column.GENERALITY, [r for r in test if r.concept is concept])
        put(concept, Column.RETAIN, [r for r in kept if r.concept is concept])
        if target is not Target.BOTH:
            put(concept, Column.SCOPE, [r for r in train if r.concept is other])
        put(concept, Column.REAL, [r for r in real if r.concept is concept])
        put(concept, Column.WORLD, world)
    return Split(target, tuple(forget), tuple(record.id for record in kept), evaluation)


def _require_rest(key: str, forgotten: int, total: int) -> None:
    if forgotten >= total:
        raise ManifestError(
            f"split.{key} leaves nothing to retain",
            expected=f"less than {total}, which is how many the dataset has",
            found=forgotten,
        )


def _unique(values: Iterable[str]) -> list[str]:
    return sorted(set(values))
