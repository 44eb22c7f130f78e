"""MLLMU-Bench (arXiv 2410.22108): 500 fictitious profiles and 153 celebrities.

Each has multiple-choice, cloze and free questions, with an image and in text alone.

The splits are published: `forget_percent` selects forget_5, _10 or _15 and its retain set. Test_Set
shows the forgotten people in other images. Retain_Set contains the celebrities, despite its name.

The options of `[benchmark]` are documented in kit/benchmarks/mllmu/options.py.
"""

from collections.abc import Mapping

from kit.benchmarks.left_out import REMEDY, OddRows
from kit.benchmarks.mllmu.options import Options
from kit.benchmarks.mllmu.protocol import LAYOUT, MULTIMODAL, TEXT
from kit.benchmarks.mllmu.questions import example_people, records_of, worked_examples
from kit.benchmarks.mllmu.sets import PUBLISHED_ROWS, Sets, read_sets
from kit.benchmarks.mllmu.training import Lessons, read_general, read_lessons, without_mentions
from kit.benchmarks.parquet import Place
from kit.benchmarks.records import Benchmark, Column, Record, Split, by_id
from kit.benchmarks.settings import options_of
from kit.errors import DataError
from kit.experiment.manifest import Manifest
from kit.streams import sample

PROTOCOL = LAYOUT
OPTIONS = Options
SOURCE = "mllmu"
PERCENTS = (5, 10, 15)


def load(places: Mapping[str, Place], manifest: Manifest) -> Benchmark:
    """Return all records and the split of each of the manifest's targets.

    Raises:
        DataError: a table is not as published, a set is empty, or forget and retain share an ID.
        ManifestError: an option does not exist or is not valid.
    """
    options = options_of(Options, manifest)
    place, odd = places[SOURCE], OddRows()
    sets = read_sets(place, manifest, odd)
    taught_to_all = read_lessons(place, {**sets.forget, **sets.retain}, odd)
    forgotten = sorted({one.person for one in sets.forget.values()})
    lessons = without_mentions(taught_to_all, sets.retain, forgotten, odd)
    records, evaluation = _asked(sets, options, manifest)
    shown = {record.image for record in records if record.image}
    general = read_general(place, shown, odd) if manifest.finetune.rehearsal else []
    taught = [record for lesson in lessons.values() for record in (*lesson.image, *lesson.text)]
    return Benchmark(
        manifest.benchmark.loader,
        by_id([*records, *taught, *general]),
        _ids(lessons, lessons, image=True, text=options.text_pairs),
        {target: _split(target, sets, lessons, evaluation, options) for target in manifest.targets},
        tuple(record.id for record in general),
        (
            *sets.notes,
            *(
                f"{name} has {count} rows; {PUBLISHED_ROWS[name]} are published."
                for name, count in sets.rows.items()
                if count != PUBLISHED_ROWS[name]
            ),
        ),
        odd.left_out(),
    )


def _asked(
    sets: Sets, options: Options, manifest: Manifest
) -> tuple[list[Record], dict[tuple[str, Column], tuple[str, ...]]]:
    """Return the records of all sets, and the ids that each column is computed from."""
    seed, limit = manifest.split.seed, manifest.split.max_per_column
    retain = sets.retain.values()
    others = (*sets.forget.values(), *sets.test.values(), *sets.celebrity.values())
    shown = example_people(retain, others, options.few_shot, seed)
    examples = worked_examples((one for one in retain if one.person in shown), seed)
    records: list[Record] = []
    evaluation: dict[tuple[str, Column], tuple[str, ...]] = {}
    for column, (name, profiles) in sets.by_column().items():
        kept = [one for one in profiles.values() if column is not Column.RETAIN
                or one.person not in shown]  # fmt: skip
        found: dict[str, list[str]] = {part: [] for part in PROTOCOL.parts}
        for profile in kept:
            made = records_of(profile, name, examples, letters=options.by_likelihood)
            for part, asked in made.items():
                records += asked
                found[part] += [record.id for record in asked]
        for part, ids in found.items():
            if not ids:
                raise DataError(
                    f"MLLMU-Bench: {name} has no {part} question",
                    expected="questions for every column",
                    found=f"{len(profiles)} profiles, and none of them is asked this",
                    remedy=REMEDY,
                )
            # One draw for all targets: all systems are compared on the same records.
            drawn = sample(sorted(ids), min(limit, len(ids)), f"{part}/{column}", seed)
            evaluation[part, column] = tuple(sorted(drawn))
    return records, evaluation


def _split(
    target: str,
    sets: Sets,
    lessons: Mapping[str, Lessons],
    evaluation: dict[tuple[str, Column], tuple[str, ...]],
    options: Options,
) -> Split:
    """Return a target's split.

    Both targets retain what the vanilla model learned about the retain people. The retain set of
    the text target also has the pairs without an image. Otherwise a model would learn to forget
    everything without an image.
    """
    return Split(
        target,
        _ids(lessons, sets.forget, image=target == MULTIMODAL, text=target == TEXT),
        _ids(lessons, sets.retain, image=True, text=target == TEXT or options.text_pairs),
        evaluation,
    )


def _ids(
    lessons: Mapping[str, Lessons], people: Mapping[str, object], *, image: bool, text: bool
) -> tuple[str, ...]:
    return tuple(
        record.id
        for key in sorted(people)
        for record in (*lessons[key].image * image, *lessons[key].text * text)
    )
