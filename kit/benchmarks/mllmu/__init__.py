"""MLLMU-Bench (arXiv 2410.22108): 500 fictitious profiles and 153 celebrities.

Each has multiple-choice, cloze and free questions, with an image and in text alone.

The splits are published: `forget_percent` selects forget_5, _10 or _15 and its retain set. Test_Set
shows the forgotten people in other images. Retain_Set contains the celebrities, despite its name.

The options of `[benchmark]` are documented in kit/benchmarks/mllmu/options.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from kit.benchmarks.mllmu.cells import REMEDY
from kit.benchmarks.mllmu.options import Options, one_of, read_options
from kit.benchmarks.mllmu.profiles import Profile, ids_of, read_profiles
from kit.benchmarks.mllmu.protocol import LAYOUT, MULTIMODAL, TEXT
from kit.benchmarks.mllmu.questions import example_people, records_of, worked_examples
from kit.benchmarks.mllmu.training import Lessons, read_general, read_lessons
from kit.benchmarks.parquet import Place
from kit.benchmarks.records import Benchmark, Column, Record, Split, by_id
from kit.errors import DataError, ManifestError
from kit.experiment.manifest import Manifest
from kit.streams import sample

PROTOCOL = LAYOUT
SOURCE = "mllmu"
PERCENTS = (5, 10, 15)
PUBLISHED_ROWS = {
    "Full_Set": 500, "Test_Set": 500, "Retain_Set": 153, "forget_5": 25, "forget_10": 50,
    "forget_15": 75, "retain_95": 475, "retain_90": 450, "retain_85": 425,
}  # fmt: skip


@dataclass(frozen=True)
class Sets:
    """The four evaluated sets as {ID: profile}, and the row counts of their tables."""

    forget: Mapping[str, Profile]
    test: Mapping[str, Profile]
    retain: Mapping[str, Profile]
    celebrity: Mapping[str, Profile]
    rows: Mapping[str, int]

    def by_column(self) -> dict[Column, tuple[str, Mapping[str, Profile]]]:
        """Return {column: (name of its set, its profiles)}."""
        return {
            Column.EFFICACY: ("forget", self.forget),
            Column.GENERALITY: ("test", self.test),
            Column.RETAIN: ("retain", self.retain),
            Column.REAL: ("celebrity", self.celebrity),
        }


def load(places: Mapping[str, Place], manifest: Manifest) -> Benchmark:
    """Return all records and the split of each of the manifest's targets.

    Raises:
        DataError: a table is not as published, a set is empty, or forget and retain share an ID.
        ManifestError: the benchmark lacks a percentage, target, option or source.
    """
    options = read_options(manifest.benchmark.options)
    for target in manifest.targets:
        one_of("target", target, tuple(PROTOCOL.targets))
    if SOURCE not in places:
        raise ManifestError(
            f"the manifest has no source '{SOURCE}'",
            found=", ".join(sorted(places)),
            remedy=f'set name = "{SOURCE}" in its [[sources]] entry',
        )
    place = places[SOURCE]
    sets = read_sets(place, manifest)
    lessons = read_lessons(place, {**sets.forget, **sets.retain})
    records, evaluation = _asked(sets, options, manifest)
    shown = {record.image for record in records if record.image}
    general = read_general(place, shown) if manifest.finetune.rehearsal else []
    taught = [record for lesson in lessons.values() for record in (*lesson.image, *lesson.text)]
    return Benchmark(
        manifest.benchmark.loader,
        by_id([*records, *taught, *general]),
        _ids(lessons, lessons, image=True, text=options.text_pairs),
        {target: _split(target, sets, lessons, evaluation, options) for target in manifest.targets},
        tuple(record.id for record in general),
        tuple(
            f"{name} has {count} rows; {PUBLISHED_ROWS[name]} are published."
            for name, count in sets.rows.items()
            if count != PUBLISHED_ROWS[name]
        ),
    )


def read_sets(place: Place, manifest: Manifest) -> Sets:
    """Return the evaluated sets of the manifest's percentage, after checking them.

    Raises:
        DataError: forget and retain share an ID or do not make up Full_Set, or a forgotten profile
            is not in Test_Set. The message states the row counts of all sets.
        ManifestError: the percentage is not published.
    """
    percent, seed = manifest.split.forget_percent, manifest.split.seed
    if percent not in PERCENTS:
        raise ManifestError(
            "split.forget_percent is not a published split of MLLMU-Bench",
            expected=f"one of {', '.join(map(str, PERCENTS))}",
            found=percent,
        )
    names = (f"forget_{percent}", f"retain_{100 - percent}")
    forget, retain = (read_profiles(place, name) for name in names)
    test = read_profiles(place, "Test_Set", "images", seed=seed)
    celebrity = read_profiles(place, "Retain_Set")
    everybody = ids_of(place, "Full_Set")
    found = (forget, retain, test, celebrity, everybody)
    sizes = dict(zip((*names, "Test_Set", "Retain_Set", "Full_Set"), map(len, found), strict=True))
    counts = ", ".join(
        f"{name} {n} (published: {PUBLISHED_ROWS[name]})" for name, n in sizes.items()
    )
    _none(set(forget) & set(retain), f"is in both {names[0]} and {names[1]}", counts)
    _none({*forget, *retain} - everybody, "is not in Full_Set", counts)
    # Vanilla models of all percentages are then the same: they learn the same people.
    _none(everybody - {*forget, *retain}, f"is in neither {names[0]} nor {names[1]}", counts)
    _none(set(forget) - set(test), f"of {names[0]} is not in Test_Set", counts)
    return Sets(forget, {key: test[key] for key in forget}, retain, celebrity, sizes)


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
                raise DataError(f"MLLMU-Bench: {name} has no {part} question", remedy=REMEDY)
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


def _none(wrong: set[str], what: str, counts: str) -> None:
    if wrong:
        raise DataError(
            f"MLLMU-Bench: ID {min(wrong)} {what}",
            expected="no such ID",
            found=f"{len(wrong)}; rows: {counts}",
            remedy=REMEDY,
        )
