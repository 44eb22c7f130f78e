"""Were all systems attacked that the manifest names, in the same way, and nothing left out?"""

from collections import defaultdict
from collections.abc import Iterator

import pandas as pd
from pydantic import ValidationError

from kit.benchmarks.records import Column
from kit.experiment.attack import AttackSection, attacked_targets, conditions
from kit.metrics.attacked import drawn_records
from kit.result.layout import ATTACKED, RUN, SETS
from kit.result.run_file import entry_of
from kit.result.stored import StoredResult
from kit.result.tables import unusable
from kit.verification.contradiction import contradicts

Place = tuple[str, str, float]  # target, attack, level


def require_attacks(stored: StoredResult) -> int:
    """Check that answers under attack are those that the manifest implies; return their number.

    Every attacked system answers every attack at every level, and for one target all systems answer
    the same records. These are among those that are drawn from its Efficacy columns: an attack may
    leave some out, such as those that it relearned.

    Raises:
        VerificationError: they are others; the first are named.
    """
    section = _section(stored)
    table = stored.tables.get(ATTACKED)
    if section is None and table is None:
        return 0
    if section is None or table is None:
        raise contradicts(
            f"the attacks of {RUN} and {ATTACKED} do not fit",
            "both, or neither",
            [f"{ATTACKED} is {'missing' if table is None else 'there without a section [attack]'}"],
        )
    if faults := list(_faults(stored, section, table)):
        raise contradicts(
            f"{ATTACKED} does not hold the attacks of the manifest",
            "every attack and level for every attacked system, about the same records",
            faults,
        )
    return len(table)


def _section(stored: StoredResult) -> AttackSection | None:
    said = stored.manifest.get("attack")
    if said is None:
        return None
    try:
        return AttackSection.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise unusable(RUN, f"manifest.attack.{place}: {first['msg']}") from None


def _faults(stored: StoredResult, section: AttackSection, table: pd.DataFrame) -> Iterator[str]:
    asked: dict[Place, dict[str, frozenset[str]]] = defaultdict(dict)
    columns = ["system", "target", "attack", "level", "record_id"]
    records: dict[tuple[str, Place], set[str]] = defaultdict(set)
    for system, target, attack, level, record in table[columns].itertuples(index=False, name=None):
        records[system, (target, attack, level)].add(record)
    for (system, place), names in records.items():
        asked[place][system] = frozenset(names)
    targets = [str(each) for each in _listed(stored, "targets")]
    wanted: dict[Place, set[str]] = defaultdict(set)
    for each in stored.systems:
        for target in attacked_targets(section, targets, each["target"], entry_of(dict(each))):
            for attack, level in conditions(section):
                wanted[target, attack, level].add(each["name"])
    allowed = {target: _drawn(stored, section, target) for target, _, _ in wanted}
    for place in wanted:
        if place not in asked:
            yield f"{_shown(place)} is missing"
    for place in asked:
        if place not in wanted:
            yield f"{_shown(place)} is none of the manifest's"
    for place, systems in asked.items():
        missing = sorted(wanted.get(place, set()) - systems.keys())
        yield from (f"{_shown(place)}: {name} is missing" for name in missing)
        extra = sorted(systems.keys() - wanted.get(place, set()))
        yield from (f"{_shown(place)}: {name} is not attacked" for name in extra)
        if len(set(systems.values())) > 1:
            yield f"{_shown(place)}: not all systems are asked the same records"
        if place in wanted and not frozenset.union(*systems.values()) <= allowed[place[0]]:
            yield f"{_shown(place)}: a record is none of those that are drawn for it"


def _drawn(stored: StoredResult, section: AttackSection, target: str) -> frozenset[str]:
    sets = stored.tables[SETS]
    own = sets[(sets["target"] == target) & (sets["column"] == str(Column.EFFICACY))]
    return frozenset(
        name
        for part, group in own.groupby("part")
        for name in drawn_records(list(group["record_id"]), section.max_records, target, str(part))
    )


def _listed(stored: StoredResult, name: str) -> list[object]:
    said = stored.manifest.get(name)
    return said if isinstance(said, list) else []


def _shown(place: Place) -> str:
    return f"{place[1]} at {place[2]:g} for target {place[0]}"
