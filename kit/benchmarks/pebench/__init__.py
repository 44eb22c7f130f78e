"""PEBench (arXiv 2503.12545): people and events, from a CSV and one image folder per person.

Sources:

pebench             PEBench.csv and its images; for rehearsal also general.csv
faces               the Real set: CLEAR's real faces. If missing: real.csv of the source pebench
pope                the World set: POPE's released files. If missing: the folder pope of pebench

The paper's Real set is MIKE. Real faces are the kit's choice. They have names but no descriptions,
so the Real column of events then has no records, and a note says so.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from kit.benchmarks.left_out import OddRows
from kit.benchmarks.parquet import Place
from kit.benchmarks.pebench.counts import check_counts, check_options, expected_events
from kit.benchmarks.pebench.held_out import held_out_of
from kit.benchmarks.pebench.protocol import LAYOUT, LAYOUT_1
from kit.benchmarks.pebench.splits import Sets, forgotten_of, reworded_of, split_of
from kit.benchmarks.pebench.table import (
    EVENT_QUESTION,
    EVENT_REWORDINGS,
    PERSON_QUESTION,
    PERSON_REWORDINGS,
    PRESENCE_QUESTION,
    presence_records,
    read_pictures,
    records_of,
)
from kit.benchmarks.pope import load_pope
from kit.benchmarks.records import Benchmark, Record, by_id
from kit.experiment.manifest import Manifest

__all__ = [
    "EVENT_QUESTION", "EVENT_REWORDINGS", "PERSON_QUESTION", "PERSON_REWORDINGS",
    "PRESENCE_QUESTION", "PROTOCOL", "load",
]  # fmt: skip

PROTOCOL = LAYOUT
EARLIER = (LAYOUT_1,)

SOURCE, FACES, POPE = "pebench", "faces", "pope"
NO_EVENTS = (
    "The Real column of events has no records: the source 'faces' has names but no descriptions"
)


def load(places: Mapping[str, Place], manifest: Manifest) -> Benchmark:
    """Return all records and the split of each of the manifest's targets.

    Raises:
        DataError: a table or one of its rows is malformed, an image is missing or empty, or the
            numbers of people and events differ from those in the options.
        ManifestError: an option does not exist, the split forgets all people or all events, or the
            list in `split.ids` does not fit the data.
    """
    root = places[SOURCE].path
    options = manifest.benchmark.options
    check_options(options)
    pictures, notes = read_pictures(
        root / "PEBench.csv",
        manifest.benchmark.columns,
        by_person=True,
        expected=partial(expected_events, options),
    )
    check_counts(pictures, options, notes)
    forgotten = forgotten_of(pictures, manifest)
    fictitious = records_of(pictures, SOURCE)
    odd = OddRows()
    real = _real(places, odd)
    world = load_pope(places[POPE].path if POPE in places else root / "pope")
    general = _general(places[SOURCE]) if manifest.finetune.rehearsal else []
    held_out = held_out_of(pictures, options)
    sets = Sets(fictitious, real, world, forgotten, held_out)
    return Benchmark(
        manifest.benchmark.loader,
        by_id([*fictitious, *reworded_of(sets, manifest), *real, *world, *general]),
        tuple(record.id for record in fictitious if record.image not in held_out),
        {target: split_of(target, sets, manifest) for target in manifest.targets},
        tuple(record.id for record in general),
        (*notes, *forgotten.notes, *((NO_EVENTS,) if FACES in places else ())),
        odd.left_out(),
    )


def _real(places: Mapping[str, Place], odd: OddRows) -> list[Record]:
    if FACES not in places:
        pictures, _ = read_pictures(places[SOURCE].path / "real.csv")
        return records_of(pictures, "real")
    # Imported only if needed: it loads the parquet reader.
    from kit.benchmarks.clear.real import real_faces

    # The wrong names are for CLEAR's likelihoods, which PEBench does not measure.
    return [replace(record, candidates=()) for record in real_faces(places[FACES], odd)]


def _general(place: Place) -> list[Record]:
    table = place.path / "general.csv"
    pictures, _ = read_pictures(table)
    return [*records_of(pictures, "general"), *presence_records(table, "general")]
