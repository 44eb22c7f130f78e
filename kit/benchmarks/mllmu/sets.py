"""MLLMU-Bench's evaluated sets, and the check that no person is both forgotten and retained."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from kit.benchmarks.identity import identity, in_both, merged, one_spelling
from kit.benchmarks.left_out import REMEDY, OddRows
from kit.benchmarks.mllmu.profiles import (
    Profile,
    ids_of,
    owners,
    read_profiles,
    require_own_pictures,
)
from kit.benchmarks.mllmu.published import QUESTIONS
from kit.benchmarks.parquet import Place
from kit.benchmarks.records import Column
from kit.errors import DataError
from kit.experiment.manifest import Manifest

PUBLISHED_ROWS = {
    "Full_Set": 500, "Test_Set": 500, "Retain_Set": 153, "forget_5": 25, "forget_10": 50,
    "forget_15": 75, "retain_95": 475, "retain_90": 450, "retain_85": 425,
}  # fmt: skip


@dataclass(frozen=True)
class Sets:
    """The four evaluated sets as {ID: profile}, and the row counts of their tables.

    `notes` say which names were spelt in several ways; the first spelling counts.
    """

    forget: Mapping[str, Profile]
    test: Mapping[str, Profile]
    retain: Mapping[str, Profile]
    celebrity: Mapping[str, Profile]
    rows: Mapping[str, int]
    notes: tuple[str, ...] = ()

    def by_column(self) -> dict[Column, tuple[str, Mapping[str, Profile]]]:
        """Return {column: (name of its set, its profiles)}."""
        return {
            Column.EFFICACY: ("forget", self.forget),
            Column.GENERALITY: ("test", self.test),
            Column.RETAIN: ("retain", self.retain),
            Column.REAL: ("celebrity", self.celebrity),
        }


def read_sets(place: Place, manifest: Manifest, odd: OddRows) -> Sets:
    """Return the evaluated sets of the manifest's percentage, after checking them.

    Test_Set has no biographies: its names are those of the forget set, by ID.

    Raises:
        DataError: forget and retain share an ID or a person in any spelling, or do not make up
            Full_Set; a picture is that of another ID in Full_Set; a forgotten profile is not in
            Test_Set; or too much is odd. The message states the row counts of all sets.
    """
    percent, seed = manifest.split.forget_percent, manifest.split.seed
    names = (f"forget_{percent}", f"retain_{100 - percent}")
    forget, retain = (read_profiles(place, name, odd) for name in names)
    known = {key: one.person for key, one in forget.items()}
    test = read_profiles(place, "Test_Set", odd, "images", seed=seed, names=known)
    celebrity = read_profiles(place, "Retain_Set", odd)
    everybody = ids_of(place, "Full_Set", odd)
    found = (forget, retain, test, celebrity, everybody)
    labels = (*names, "Test_Set", "Retain_Set", "Full_Set")
    sizes = {name: len(each) + odd.count(name) for name, each in zip(labels, found, strict=True)}
    counts = ", ".join(
        f"{name} {n} (published: {PUBLISHED_ROWS[name]})" for name, n in sizes.items()
    )
    for name, profiles in zip(names, (forget, retain), strict=True):
        odd.require_everybody(name, (one.person for one in profiles.values()))
        with_questions = (one.person for one in profiles.values() if one.questions)
        odd.require_everybody(name, with_questions, QUESTIONS)
    # Of Test_Set, only the forgotten people are asked about.
    asked = (one.person for one in test.values() if one.questions or one.id not in forget)
    odd.require_everybody("Test_Set", asked, QUESTIONS)
    _none(set(forget) & set(retain), f"is in both {names[0]} and {names[1]}", counts)
    _refuse_shared(forget, retain, names, counts)
    whose = owners(place, "Full_Set")
    for name, profiles in zip(names, (forget, retain), strict=True):
        shown = {key: one.image for key, one in profiles.items()}
        require_own_pictures("MLLMU-Bench", shown, name, whose)
    _none({*forget, *retain} - everybody, "is not in Full_Set", counts)
    # Vanilla models of all percentages are then the same: they learn the same people.
    _none(everybody - {*forget, *retain}, f"is in neither {names[0]} nor {names[1]}", counts)
    _none(set(forget) - set(test), f"of {names[0]} is not in Test_Set", counts)
    tested = {key: test[key] for key in forget}
    people = [one.person for each in (forget, retain, celebrity) for one in each.values()]
    one = one_spelling(people)
    return Sets(
        _respelt(forget, one), _respelt(tested, one), _respelt(retain, one),
        _respelt(celebrity, one), sizes, merged(people),
    )  # fmt: skip


def _refuse_shared(
    forget: Mapping[str, Profile], retain: Mapping[str, Profile], names: tuple[str, str], rows: str
) -> None:
    people = [[one.person for one in each.values()] for each in (forget, retain)]
    if shared := in_both(*people):
        raise DataError(
            f"MLLMU-Bench: people in both {names[0]} and {names[1]}",
            expected="no such name: what is forgotten would be taught as retained",
            found=f"{len(shared)}: {', '.join(shared[:3])}; rows: {rows}",
            remedy=REMEDY,
        )


def _respelt(profiles: Mapping[str, Profile], spelling: Mapping[str, str]) -> dict[str, Profile]:
    return {
        key: replace(one, person=spelling.get(identity(one.person), one.person))
        for key, one in profiles.items()
    }


def _none(wrong: set[str], what: str, counts: str) -> None:
    if wrong:
        raise DataError(
            f"MLLMU-Bench: ID {min(wrong)} {what}",
            expected="no such ID",
            found=f"{len(wrong)}; rows: {counts}",
            remedy=REMEDY,
        )
