"""UMU-Bench (NeurIPS 2025, Datasets and Benchmarks): 500 fictitious profiles and 153 real people.

Every fact is asked with the person's image and in text alone. Its question is whether unlearning
in one modality leaves the fact in the other one.

Read were the README and the code of github.com/QDRhhhh/UMU-bench (commit 93b9900): the names of
configurations, columns and keys, the file names train-00000-of-00001.parquet, the prompts and the
metrics. Not read were the paper and the tables on the hub. So the loader does not rely on the keys
of facts, on how many a row has, or on the form of a biography.

The splits are published: `forget_percent` selects forget_5, _10 or _15 and its retain set. The
forget set has no test questions. Text questions name their person, image questions do not.
"""

from collections.abc import Mapping

from kit.benchmarks.left_out import REMEDY, OddRows
from kit.benchmarks.modalities import IMAGE_QUESTION
from kit.benchmarks.parquet import Place
from kit.benchmarks.records import Benchmark, Column, Concept, Record, Split, by_id
from kit.benchmarks.umu.profiles import Profile, read_profiles
from kit.benchmarks.umu.protocol import (
    CONCEPTS,
    LAYOUT,
    MULTIMODAL,
    TEXT,
    part_of,
)
from kit.benchmarks.umu.questions import Question, prompt
from kit.benchmarks.umu.sets import Sets, read_sets
from kit.errors import DataError, ManifestError
from kit.experiment.manifest import Manifest
from kit.streams import sample

PROTOCOL = LAYOUT
SOURCE, GENERAL = "umu", "general"
PERCENTS = (5, 10, 15)


def load(places: Mapping[str, Place], manifest: Manifest) -> Benchmark:
    """Return all records and the split of each of the manifest's targets.

    Raises:
        DataError: a table is not as published, a set is empty, or forget and retain share an ID.
        ManifestError: rehearsal is requested, and the source has no general records.
    """
    place, odd = places[SOURCE], OddRows()
    sets = read_sets(place, manifest, odd)
    general = _general(place, odd) if manifest.finetune.rehearsal else []
    records, evaluation = _asked(sets, manifest)
    lessons = {
        key: _lessons(profile, "finetune")
        for key, profile in sorted({**sets.forget, **sets.retain}.items())
    }
    forget, retain = (
        [record for key in sorted(each) for record in lessons[key]]
        for each in (sets.forget, sets.retain)
    )
    return Benchmark(
        manifest.benchmark.loader,
        by_id([*records, *forget, *retain, *general]),
        _ids([record for each in lessons.values() for record in each]),
        {
            target: Split(target, _ids(_of_target(forget, target)), _ids(retain), evaluation)
            for target in manifest.targets
        },
        _ids(general),
        sets.notes,
        odd.left_out(),
    )


def _asked(
    sets: Sets, manifest: Manifest
) -> tuple[list[Record], dict[tuple[str, Column], tuple[str, ...]]]:
    """Return the records of all sets, and the ids that each column is computed from.

    Facts are drawn rather than records, so that a fact is asked in both modalities. One draw serves
    all targets: all systems are compared on the same records.
    """
    seed, limit = manifest.split.seed, manifest.split.max_per_column
    records: list[Record] = []
    evaluation: dict[tuple[str, Column], tuple[str, ...]] = {}
    for column, (name, profiles) in sets.by_column().items():
        found: dict[str, dict[str, list[Record]]] = {kind: {} for kind in CONCEPTS}
        for profile in profiles.values():
            for question in profile.questions:
                record = _record(question, profile, name)
                found[question.kind].setdefault(record.group, []).append(record)
        for kind, facts in found.items():
            drawn = sample(sorted(facts), min(limit, len(facts)), f"{kind}/{column}", seed)
            chosen = [record for fact in drawn for record in facts[fact]]
            for modality in ("image", "text"):
                shown = [r for r in chosen if (r.image is not None) == (modality == IMAGE_QUESTION)]
                if not shown:
                    raise DataError(
                        f"UMU-Bench: {name} has no {part_of(kind, modality)} question",
                        expected="questions for every column",
                        found=f"{len(chosen)} questions of the kind, and none of them {modality}",
                        remedy=REMEDY,
                    )
                evaluation[part_of(kind, modality), column] = tuple(sorted(_ids(shown)))
            records += [record for each in facts.values() for record in each]
    return records, evaluation


def _record(question: Question, profile: Profile, name: str) -> Record:
    return Record(
        f"umu/{name}/{profile.id}/{question.kind}-{question.modality}/{question.fact}",
        CONCEPTS[question.kind],
        prompt(question),
        question.answer,
        profile.image if question.modality == IMAGE_QUESTION else None,
        profile.person,
        candidates=question.options,
        group=f"{profile.id}/{question.fact}",
    )


def _lessons(profile: Profile, purpose: str) -> list[Record]:
    """Return the pairs of a profile as records: with the image, and in text alone."""
    return [
        Record(
            f"umu/{purpose}/{profile.id}/{label}/{fact}",
            Concept.FACT,
            asked,
            answer,
            image,
            profile.person,
        )
        for label, pairs, image in (
            ("pair-image", profile.seen, profile.image),
            ("pair-text", profile.read, None),
        )
        for fact, asked, answer in pairs
    ]


def _of_target(records: list[Record], target: str) -> list[Record]:
    """Return what a target forgets: the pairs with an image, those without, or both."""
    wanted = {MULTIMODAL: (True,), TEXT: (False,)}.get(target, (True, False))
    return [record for record in records if (record.image is not None) in wanted]


def _general(place: Place, odd: OddRows) -> list[Record]:
    """Return the rehearsal records: the pairs of people who are in no split.

    The published data has none. The embedded data has a configuration `general` for them.

    Raises:
        ManifestError: the source has no such configuration.
    """
    if GENERAL not in {path.parent.name for path in place.all_tables()}:
        raise ManifestError(
            "finetune.rehearsal is set, but the source has no general records to rehearse",
            expected=f"a configuration '{GENERAL}', which the published UMU-Bench does not have",
            found=", ".join(sorted({path.parent.name for path in place.all_tables()})),
            remedy="set rehearsal = 0 in [finetune]",
        )
    found = read_profiles(place, GENERAL, odd, asked=False)
    return [record for key in sorted(found) for record in _lessons(found[key], GENERAL)]


def _ids(records: list[Record]) -> tuple[str, ...]:
    return tuple(record.id for record in records)
