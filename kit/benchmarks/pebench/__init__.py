"""PEBench (arXiv 2503.12545): people and events, from a CSV and one image folder per person.

Sources:

pebench             PEBench.csv and its images; for rehearsal also general.csv
faces               the Real set: CLEAR's real faces. If missing: real.csv of the source pebench
pope                the World set: POPE's released files. If missing: the folder pope of pebench

The paper's Real set is MIKE. Real faces are the kit's choice. They have names but no descriptions,
so there is no Real column of events then. Own data may have no Real set and no World set at all:
there are no such columns then. A note says which columns are absent, and why.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from kit.benchmarks.left_out import OddRows
from kit.benchmarks.parquet import Place
from kit.benchmarks.pebench.counts import check_counts, expected_events
from kit.benchmarks.pebench.csv import Reading
from kit.benchmarks.pebench.events import NAME as KEYWORDS
from kit.benchmarks.pebench.held_out import held_out_of
from kit.benchmarks.pebench.options import Options
from kit.benchmarks.pebench.protocol import EVENT, LAYOUT, LAYOUT_1, PERSON
from kit.benchmarks.pebench.splits import Sets, forgotten_of, reworded_of, split_of
from kit.benchmarks.pebench.table import (
    EVENT_QUESTION,
    EVENT_REWORDINGS,
    PERSON_QUESTION,
    PERSON_REWORDINGS,
    PRESENCE_QUESTION,
    images_of,
    presence_records,
    read_pictures,
    records_of,
)
from kit.benchmarks.pope import load_pope
from kit.benchmarks.records import GROUPS, Benchmark, Column, Record, by_id
from kit.benchmarks.settings import options_of
from kit.errors import DataError
from kit.experiment.manifest import Columns, Manifest

__all__ = [
    "EVENT_QUESTION", "EVENT_REWORDINGS", "PERSON_QUESTION", "PERSON_REWORDINGS",
    "PRESENCE_QUESTION", "PROTOCOL", "load",
]  # fmt: skip

PROTOCOL = LAYOUT
EARLIER = (LAYOUT_1,)

SOURCE, FACES, POPE = "pebench", "faces", "pope"
OPTIONS = Options
TABLE, REAL, GENERAL = "PEBench.csv", "real.csv", "general.csv"
NO_EVENTS = "no Real column of events: the source 'faces' has names but no descriptions"
NO_REAL = "no Real columns: there is neither a source 'faces' nor a table real.csv"
NO_WORLD = "no World columns: there is neither a source 'pope' nor a folder pope"


def load(places: Mapping[str, Place], manifest: Manifest) -> Benchmark:
    """Return all records and the split of each of the manifest's targets.

    Raises:
        DataError: a table or one of its rows is malformed, an image is missing or empty, or the
            numbers of people and events differ from those in the options.
        ManifestError: an option does not exist, the split forgets all people or all events, or the
            list in `split.ids` does not fit the data.
    """
    root = places[SOURCE].path
    options = options_of(Options, manifest)
    reading = options.reading
    pictures, notes = read_pictures(
        root / TABLE,
        manifest.benchmark.columns,
        by_person=True,
        expected=partial(expected_events, options),
        reading=reading,
    )
    check_counts(pictures, options, notes)
    forgotten = forgotten_of(pictures, manifest)
    fictitious = records_of(pictures, SOURCE)
    odd = OddRows()
    real = _real(places, reading, odd)
    world = _world(places)
    general = _general(root / GENERAL, reading) if manifest.finetune.rehearsal else []
    absent = _absent(places, real, world)
    held_out = held_out_of(pictures, options.held_out_percent)
    sets = Sets(fictitious, real, world, forgotten, held_out)
    return Benchmark(
        manifest.benchmark.loader,
        by_id([*fictitious, *reworded_of(sets, manifest), *real, *world, *general]),
        tuple(record.id for record in fictitious if record.image not in held_out),
        {target: split_of(target, sets, manifest) for target in manifest.targets},
        tuple(record.id for record in general),
        (*notes, *forgotten.notes, *dict.fromkeys(absent.values())),
        odd.left_out(),
        absent,
    )


def files(manifest: Manifest, source: str, root: Path) -> frozenset[str] | None:
    """Return the files that `load` reads of a source in a folder; None for the parquet tables.

    Raises:
        DataError: a table or POPE's questions are not what `load` reads.
    """
    if source not in (SOURCE, POPE):
        return None
    reading = options_of(Options, manifest).reading
    pope = root if source == POPE else root / "pope"
    paths = [] if source == SOURCE and not pope.is_dir() else _pope_files(pope)
    if source == SOURCE:
        tables: dict[str, Columns | None] = {TABLE: manifest.benchmark.columns, REAL: None}
        if manifest.finetune.rehearsal:
            tables[GENERAL] = None
        for name, mapped in tables.items():
            if name == TABLE or (root / name).is_file():
                paths += [root / name, *images_of(root / name, mapped, reading)]
        paths += [root / KEYWORDS] if (root / KEYWORDS).is_file() else []
    return frozenset(path.relative_to(root).as_posix() for path in paths)


def _pope_files(folder: Path) -> list[Path]:
    images = {record.image for record in load_pope(folder) if record.image}
    return [*(folder / f"coco_pope_{kind}.json" for kind in GROUPS), *images]


def _absent(
    places: Mapping[str, Place], real: Sequence[Record], world: Sequence[Record]
) -> dict[tuple[str, str], str]:
    """Return {(part, column): why} of the columns that this data does not have."""
    absent: dict[tuple[str, str], str] = {}
    if FACES in places:
        absent[EVENT, Column.REAL] = NO_EVENTS
    for part in (PERSON, EVENT):
        if not real:
            absent[part, Column.REAL] = NO_REAL
        if not world:
            absent[part, Column.WORLD] = NO_WORLD
    return absent


def _real(places: Mapping[str, Place], reading: Reading, odd: OddRows) -> list[Record]:
    if FACES not in places:
        table = places[SOURCE].path / REAL
        return (
            records_of(read_pictures(table, reading=reading)[0], "real") if table.is_file() else []
        )
    # Imported only if needed: it loads the parquet reader.
    from kit.benchmarks.clear.real import real_faces

    # The wrong names are for CLEAR's likelihoods, which PEBench does not measure.
    return [replace(record, candidates=()) for record in real_faces(places[FACES], odd)]


def _world(places: Mapping[str, Place]) -> list[Record]:
    folder = places[POPE].path if POPE in places else places[SOURCE].path / "pope"
    return load_pope(folder) if POPE in places or folder.is_dir() else []


def _general(table: Path, reading: Reading) -> list[Record]:
    if not table.is_file():
        raise DataError(
            f"{table} is missing, which finetune.rehearsal asks for",
            expected="a table like PEBench.csv, of people and scenes that the base knows, with the "
            "columns object and answer besides",
            found="no such file",
            remedy="write it and run `./run.sh lock MANIFEST`; or set `rehearsal = 0` "
            "in [finetune]",
        )
    pictures, _ = read_pictures(table, reading=reading)
    return [*records_of(pictures, "general"), *presence_records(table, "general", reading)]
