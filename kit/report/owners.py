"""What is known of each person or event, by each method: the smallest tables of a report.

Averages hide which people a method forgets. A value is the mean of the column's headline metric
over the questions about one person (or event) and over the seeds, turned so that 1 means known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kit.benchmarks.records import Column
from kit.metrics.record_sets import Measured, RecordSet
from kit.result.run_file import System, entries, labels

MOST_OWNERS = 40  # of those to be forgotten, and of those to be kept
PLURALS = {"person": "people", "event": "events"}


@dataclass(frozen=True)
class Owner:
    """One person or event: `known` maps each entry to a share in [0, 1], None where absent."""

    name: str
    forgotten: bool
    questions: int
    known: Mapping[str, float | None]


@dataclass(frozen=True)
class OwnerTable:
    """One part of one target, with all its people or events, as `kind` says.

    `entries` maps each entry of the manifest to its printed name, in table order.
    """

    target: str
    part: str
    title: str
    kind: str
    entries: Mapping[str, str]
    owners: tuple[Owner, ...]

    @property
    def shown(self) -> list[Owner]:
        """Return those that a page prints: first those to be forgotten, by name."""
        sides = [[o for o in self.owners if o.forgotten is side] for side in (True, False)]
        return [owner for side in sides for owner in _worst(side)]

    def of(self, entry: str, *, forgotten: bool) -> list[tuple[float, str]]:
        """Return (share known, name) for one method, the least known first."""
        shares = (
            (owner.known.get(entry), owner.name)
            for owner in self.owners
            if owner.forgotten is forgotten
        )
        return sorted((share, name) for share, name in shares if share is not None)


def owner_tables(measured: Measured) -> list[OwnerTable]:
    """Return a table for each part of each target whose records belong to people or events."""
    groups = entries(measured.systems)
    names = labels(measured.systems)
    tables = []
    for target, part in dict.fromkeys((g.target, g.part) for g in measured.groups):
        own = {g.column: g for g in measured.groups if (g.target, g.part) == (target, part)}
        systems = {
            entry: [s for s in members if s["target"] in (None, target)]
            for entry, members in groups.items()
        }
        systems = {entry: members for entry, members in systems.items() if members}
        sides = [
            _owners(own[column], systems, measured, forgotten=column is Column.EFFICACY)
            for column in (Column.EFFICACY, Column.RETAIN)
            if column in own and own[column].ids
        ]
        owners = tuple(owner for side in sides for owner in side)
        if owners:
            title = measured.protocol.title(target, part)
            kind = PLURALS.get(measured.protocol.parts[part].cluster, "clusters")
            printed = {entry: names[entry] for entry in systems}
            tables.append(OwnerTable(target, part, title, kind, printed, owners))
    return tables


def _owners(
    group: RecordSet,
    systems: Mapping[str, Sequence[System]],
    measured: Measured,
    *,
    forgotten: bool,
) -> list[Owner]:
    scores = measured.scores
    definition = scores.definitions.get(group.headline)
    if definition is None or not definition.better or definition.retired:
        return []
    values = {
        entry: np.mean(
            [definition.knowledge(scores.of(s["name"], definition.name, group.ids)) for s in own],
            axis=0,
        )
        for entry, own in systems.items()
        if all(scores.has(s["name"], group.ids) for s in own)
    }
    codes = group.clusters(scores)
    fields = np.array([str(getattr(scores.records[name], group.cluster)) for name in group.ids])
    owners = []
    for code in range(int(codes.max()) + 1):
        mine = codes == code
        if name := min(fields[mine]):
            known = {entry: _mean(each[mine]) for entry, each in values.items()}
            owners.append(Owner(str(name), forgotten, int(mine.sum()), known))
    return sorted(owners, key=lambda owner: owner.name)


def _mean(values: np.ndarray) -> float | None:
    there = values[~np.isnan(values)]
    return None if not len(there) else round(float(there.mean()), 6)


def _worst(owners: Sequence[Owner]) -> list[Owner]:
    """Return all, or those on which the systems do worst together, in the order of their names."""
    if len(owners) <= MOST_OWNERS:
        return list(owners)

    def badness(owner: Owner) -> float:
        there = [share for share in owner.known.values() if share is not None]
        mean = sum(there) / len(there) if there else 0.0
        return -mean if owner.forgotten else mean

    chosen = sorted(owners, key=lambda owner: (badness(owner), owner.name))[:MOST_OWNERS]
    return sorted(chosen, key=lambda owner: owner.name)
