"""UMU-Bench's sets, and the check that no person is both forgotten and retained."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from kit.benchmarks.identity import identity, in_both, merged, one_spelling
from kit.benchmarks.left_out import REMEDY, OddRows
from kit.benchmarks.mentions import OF_ANOTHER, People
from kit.benchmarks.mllmu.profiles import owners, require_own_pictures
from kit.benchmarks.parquet import Place
from kit.benchmarks.records import Column
from kit.benchmarks.umu.profiles import PAIRS, Profile, ids_of, read_profiles
from kit.benchmarks.words import mentions
from kit.errors import DataError
from kit.experiment.manifest import Manifest

FULL, FULL_ROWS = "Full_Set", 500
Pair = tuple[str, str, str]  # fact, question, answer
REAL = ("Real_Person_Set", "real_person")  # as the README names it, and as the evaluation does


@dataclass(frozen=True)
class Sets:
    """The evaluated sets as {ID: profile}; `notes` say what a reader should know of them."""

    forget: Mapping[str, Profile]
    retain: Mapping[str, Profile]
    real: Mapping[str, Profile]
    notes: tuple[str, ...] = ()

    def by_column(self) -> dict[Column, tuple[str, Mapping[str, Profile]]]:
        """Return {column: (name of its set, its profiles)}."""
        return {
            Column.EFFICACY: ("forget", self.forget),
            Column.RETAIN: ("retain", self.retain),
            Column.REAL: ("real", self.real),
        }


def read_sets(place: Place, manifest: Manifest, odd: OddRows) -> Sets:
    """Return the sets of the manifest's percentage, after checking them.

    Pairs of kept people that mention a forgotten person are odd: they would teach the name.

    Raises:
        DataError: forget and retain share an ID or a person in any spelling, or do not make up
            Full_Set; a picture is that of another ID in Full_Set; or too much is odd.
    """
    percent = manifest.split.forget_percent
    names = (f"forget_{percent}", f"retain_{100 - percent}")
    forget, retain = (read_profiles(place, name, odd) for name in names)
    there = {path.parent.name for path in place.all_tables()}
    known = REAL[1] if REAL[1] in there else REAL[0]
    # Real people may have the IDs of fictitious ones.
    real = read_profiles(place, known, odd, taught=False, nameless="real person")
    everybody = ids_of(place, FULL)
    _none(set(forget) & set(retain), f"is in both {names[0]} and {names[1]}")
    _none({*forget, *retain} - everybody, f"is not in {FULL}")
    left = odd.count(names[0]) + odd.count(names[1])
    _none(everybody - {*forget, *retain}, f"of {FULL} is in neither {' nor '.join(names)}", left)
    people = [[one.person for one in each.values()] for each in (forget, retain)]
    if shared := in_both(*people):
        raise DataError(
            f"UMU-Bench: people in both {names[0]} and {names[1]}",
            expected="no such name: what is forgotten would be taught as retained",
            found=f"{len(shared)}: {', '.join(shared[:3])}",
            remedy=REMEDY,
        )
    whose = owners(place, FULL)
    for name, profiles in zip(names, (forget, retain), strict=True):
        shown = {key: one.image for key, one in profiles.items()}
        require_own_pictures("UMU-Bench", shown, name, whose)
    retain = _without_mentions(retain, forget, names[1], odd)
    everyone = People(one.person for each in (forget, retain) for one in each.values() if one.named)
    forget, retain = (
        _of_their_own(each, everyone, name, odd)
        for each, name in zip((forget, retain), names, strict=True)
    )
    spelt = [*people[0], *people[1], *(one.person for one in real.values())]
    one = one_spelling(spelt)
    notes = list(merged(spelt))
    if len(everybody) != FULL_ROWS:
        notes.append(f"{FULL} has {len(everybody)} rows; {FULL_ROWS} are published.")
    if nameless := sum(not each.named for part in (forget, retain, real) for each in part.values()):
        notes.append(f"{nameless} rows have no name in their biography; their ID is used as one.")
    forget, retain, real = (_respelt(each, one) for each in (forget, retain, real))
    return Sets(forget, retain, real, tuple(notes))


def _without_mentions(
    retain: Mapping[str, Profile], forget: Mapping[str, Profile], config: str, odd: OddRows
) -> dict[str, Profile]:
    gone = sorted({one.person for one in forget.values() if one.named})

    def odd_kind(pair: Pair, profile: Profile) -> str:
        return "it mentions a forgotten person" if mentions(pair[1:], gone) else ""

    return _without(retain, odd_kind, config, odd)


def _of_their_own(
    profiles: Mapping[str, Profile], people: People, config: str, odd: OddRows
) -> dict[str, Profile]:
    """Return profiles without pairs that name another person alone: rows may be shifted."""

    def odd_kind(pair: Pair, profile: Profile) -> str:
        other = profile.named and people.is_about_another(pair[1:], profile.person)
        return OF_ANOTHER if other else ""

    return _without(profiles, odd_kind, config, odd)


def _without(
    profiles: Mapping[str, Profile],
    odd_kind: Callable[[Pair, Profile], str],
    config: str,
    odd: OddRows,
) -> dict[str, Profile]:
    """Return profiles without the pairs that are odd; they are counted.

    Args:
        odd_kind: returns why a pair is odd, or "".

    Raises:
        DataError: there are too many, or all pairs of a person are among them.
    """

    def kept(pairs: Iterable[Pair], profile: Profile) -> tuple[Pair, ...]:
        found = []
        for pair in pairs:
            if kind := odd_kind(pair, profile):
                where = f"{config}, ID {profile.id}"
                odd.leave_out(config, kind, where, person=profile.person, unit=PAIRS)
            else:
                found.append(pair)
        return tuple(found)

    made = {
        key: replace(one, seen=kept(one.seen, one), read=kept(one.read, one))
        for key, one in profiles.items()
    }
    odd.require_few_more(config, PAIRS)
    taught = (one.person for one in made.values() if one.seen or one.read)
    odd.require_everybody(config, taught, PAIRS)
    return made


def _respelt(profiles: Mapping[str, Profile], spelling: Mapping[str, str]) -> dict[str, Profile]:
    return {
        key: replace(one, person=spelling.get(identity(one.person), one.person))
        for key, one in profiles.items()
    }


def _none(wrong: set[str], what: str, allowed: int = 0) -> None:
    if len(wrong) > allowed:
        raise DataError(
            f"UMU-Bench: ID {min(wrong)} {what}",
            expected="no such ID",
            found=f"{len(wrong)}",
            remedy=REMEDY,
        )
