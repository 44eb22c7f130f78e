"""PEBench's sets: what each target forgets and keeps, and the records of every column.

D^f is split into D^f_train, which unlearning uses, and D^f_test. Efficacy is measured on D^f_train,
Generality on D^f_test, Scope on D^f_train with the question about the other concept, and Retain on
D^r. The kit adds Reworded: the Efficacy images with other words for the same question. Images that
are held out are in no training set; where there are any, Retain is asked about them alone.

PEBench published neither a split nor a ratio. The kit divides the images of a forgotten person
by event, and those of a forgotten event by person, into halves. D^f_test then shows the same
concept with other events, or with other people.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.artifacts import project_path
from kit.benchmarks.pebench.ids import Forgotten, read_ids
from kit.benchmarks.pebench.protocol import EVENT, PERSON
from kit.benchmarks.pebench.table import Picture, reworded, reworded_id
from kit.benchmarks.records import Column, Concept, Record, Split
from kit.errors import ManifestError
from kit.experiment.manifest import Manifest
from kit.streams import sample, shuffled

BOTH = "both"
CONCEPTS = {
    PERSON: (Concept.PERSON,),
    EVENT: (Concept.EVENT,),
    BOTH: (Concept.PERSON, Concept.EVENT),
}
OTHER = {Concept.PERSON: Concept.EVENT, Concept.EVENT: Concept.PERSON}


@dataclass(frozen=True)
class Sets:
    """The material of every split: PEBench's own records, Real, World, and what is forgotten.

    `held_out` are the images that no training uses.
    """

    fictitious: Sequence[Record]
    real: Sequence[Record]
    world: Sequence[Record]
    forgotten: Forgotten
    held_out: frozenset[Path] = frozenset()


def forgotten_of(pictures: Sequence[Picture], manifest: Manifest) -> Forgotten:
    """Return what is forgotten: the entries of the list `split.ids`, otherwise drawn by seed.

    Raises:
        ManifestError: the split forgets all people or all events, or the list does not fit.
        DataError: there is a list, and a person has several folders or a folder several people.
    """
    if manifest.split.ids:
        path = project_path(manifest.split.ids)
        return read_ids(path, manifest.split.forget_percent, pictures)
    people = _drawn(_unique(each.person for each in pictures), "forget people", manifest)
    events = _drawn(_unique(each.event for each in pictures), "forget events", manifest)
    return Forgotten(people, events)


def split_of(target: str, sets: Sets, manifest: Manifest) -> Split:
    """Return a target's forget and retain records, and the records of each column."""
    concepts = CONCEPTS[target]
    halves = _halves(sets.fictitious, manifest.split.seed)
    columns: dict[tuple[Concept, Column], list[Record]] = {}
    kept = [r for r in sets.fictitious if not any(_is_forgotten(r, c, sets) for c in concepts)]
    asked = [r for r in kept if r.image in sets.held_out] or kept
    forget: list[str] = []
    for concept in concepts:
        chosen = [r for r in _trained(sets) if _is_forgotten(r, concept, sets)]
        train = [r for r in chosen if _in_train(r, concept, halves)]
        test = [r for r in chosen if not _in_train(r, concept, halves)]
        forget += [record.id for record in train if record.concept is concept]
        columns[concept, Column.EFFICACY] = _about(train, concept)
        columns[concept, Column.GENERALITY] = _about(test, concept)
        columns[concept, Column.RETAIN] = _about(asked, concept)
        if target != BOTH:
            columns[concept, Column.SCOPE] = _about(train, OTHER[concept])
        # Own data may have neither set, and then has no such column.
        others = {Column.REAL: _about(sets.real, concept), Column.WORLD: list(sets.world)}
        columns |= {(concept, column): found for column, found in others.items() if found}
    evaluation: dict[tuple[str, Column], tuple[str, ...]] = {
        key: _column(key, chosen, manifest) for key, chosen in columns.items()
    }
    for concept in concepts:
        efficacy = evaluation[concept, Column.EFFICACY]
        evaluation[concept, Column.REWORDED] = tuple(map(reworded_id, efficacy))
    retain = tuple(record.id for record in kept if record.image not in sets.held_out)
    return Split(target, tuple(forget), retain, evaluation)


def reworded_of(sets: Sets, manifest: Manifest) -> list[Record]:
    """Return the records of D^f_train with reworded questions, for the column Reworded."""
    halves = _halves(sets.fictitious, manifest.split.seed)
    return [
        reworded(record)
        for record in _trained(sets)
        if _is_forgotten(record, record.concept, sets) and _in_train(record, record.concept, halves)
    ]


def _trained(sets: Sets) -> list[Record]:
    return [record for record in sets.fictitious if record.image not in sets.held_out]


def _halves(fictitious: Sequence[Record], seed: int) -> dict[Concept, frozenset[str]]:
    """Return which images of a forgotten concept are in D^f_train: by event, or by person."""
    people, events = (_unique(r.person for r in fictitious), _unique(r.event for r in fictitious))
    people_seen = shuffled(people, "events: people in train", seed)[: len(people) // 2]
    events_seen = shuffled(events, "people: events in train", seed)[: len(events) // 2]
    return {Concept.PERSON: frozenset(events_seen), Concept.EVENT: frozenset(people_seen)}


def _in_train(record: Record, concept: Concept, halves: dict[Concept, frozenset[str]]) -> bool:
    company = record.event if concept is Concept.PERSON else record.person
    return company in halves[concept]


def _is_forgotten(record: Record, concept: Concept, sets: Sets) -> bool:
    if concept is Concept.PERSON:
        return record.person in sets.forgotten.people
    return record.event in sets.forgotten.events


def _about(records: Iterable[Record], concept: Concept) -> list[Record]:
    return [record for record in records if record.concept is concept]


def _column(
    key: tuple[Concept, Column], chosen: Sequence[Record], manifest: Manifest
) -> tuple[str, ...]:
    """Draw a column's records: the same draw for all targets with a column of this name.

    All systems are then compared on the same records.
    """
    if key[1] is Column.WORLD:
        return _world(chosen, manifest)
    ids = [record.id for record in chosen]
    count = min(manifest.split.max_per_column, len(ids))
    return tuple(sorted(sample(ids, count, "/".join(key), manifest.split.seed)))


def _world(world: Sequence[Record], manifest: Manifest) -> tuple[str, ...]:
    """Draw a third of the column, rounded up, from each of POPE's kinds: all three are reported."""
    kinds: defaultdict[str, list[str]] = defaultdict(list)
    for record in world:
        kinds[record.group].append(record.id)
    count = -(-manifest.split.max_per_column // len(kinds))
    drawn = [
        sample(ids, min(count, len(ids)), Column.WORLD, kind, manifest.split.seed)
        for kind, ids in kinds.items()
    ]
    return tuple(sorted(name for ids in drawn for name in ids))


def _drawn(names: list[str], purpose: str, manifest: Manifest) -> frozenset[str]:
    """Return the forgotten names; a smaller share is a subset of every larger one."""
    count = max(1, round(len(names) * manifest.split.forget_percent / 100))
    if len(names) < 2:
        raise ManifestError(
            f"no person or no event is left to keep: {purpose}, of {len(names)}",
            expected="at least two people and two events, so that one of each can be kept",
            found=", ".join(names),
            remedy="add rows of another one to the table, with their images",
        )
    if count >= len(names):
        raise ManifestError(
            "split.forget_percent leaves nothing to retain",
            expected=f"a share of the {len(names)} names that leaves at least one",
            found=f"{manifest.split.forget_percent} %",
            remedy="lower split.forget_percent",
        )
    return frozenset(shuffled(names, purpose, manifest.split.seed)[:count])


def _unique(values: Iterable[str]) -> list[str]:
    return sorted(set(values))
