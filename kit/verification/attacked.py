"""Were all systems attacked that the manifest names, in the same way, and nothing left out?"""

from collections import defaultdict
from collections.abc import Iterator
from typing import cast

import pandas as pd
from pydantic import ValidationError

from kit.benchmarks.records import Column
from kit.experiment.attack import AttackSection, attacked_targets, conditions, drawn_records
from kit.experiment.labels import Entry, label_faults
from kit.result.layout import ATTACKED, RECORDS, RUN, SETS
from kit.result.run_file import entry_of
from kit.result.stored import StoredResult
from kit.result.unusable import unusable
from kit.verification.answer_form import count_faults
from kit.verification.attacked_form import (
    OFFERED,
    applicable,
    choice_fault,
    nested_faults,
    unchecked_choice,
    wording_faults,
)
from kit.verification.contradiction import contradicts
from kit.verification.run_facts import RunFacts

Place = tuple[str, str, float]  # target, attack, level


def require_attacks(stored: StoredResult, facts: RunFacts) -> tuple[int, list[str]]:
    """Check that answers under attack are those that the manifest implies.

    Every attacked system answers every attack at every level, and for one target all systems answer
    the same records. These are those that are drawn from its Efficacy columns; an attack leaves out
    only what its kind cannot ask, such as records without a picture or those that it relearned.

    Returns:
        The number of answers, and lines for what was not checked.

    Raises:
        VerificationError: they are others; the first are named.
    """
    section = _section(stored)
    table = stored.tables.get(ATTACKED)
    if section is None and table is None and not facts.attacks:
        return 0, []
    if section is None or table is None:
        raise contradicts(
            f"the attacks of {RUN} and {ATTACKED} do not fit",
            "both, or neither",
            [f"{ATTACKED} is {'missing' if table is None else 'there without a section [attack]'}"]
            if section is not None or table is not None
            else ["attacks are stated without a section [attack]"],
        )
    lines: list[str] = []
    entries = [entry.name for entry in section.entries]
    if facts.attacks and [each.name for each in facts.attacks] != entries:
        said = f"attacks are {', '.join(each.name for each in facts.attacks)}"
        raise contradicts(f"the attacks of {RUN} are not its manifest's", str(entries), [said])
    faults = list(_entry_faults(section)) or list(_faults(stored, section, table))
    faults = faults or list(_form_faults(stored, section, table, lines))
    if faults:
        raise contradicts(
            f"{ATTACKED} does not hold the attacks of the manifest",
            "every attack and level for every attacked system, about all records that it applies "
            "to, in the same words for all",
            faults,
        )
    return len(table), lines


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


def _entry_faults(section: AttackSection) -> Iterator[str]:
    """Yield levels that are there twice, and labels that do not tell two attacks apart."""
    for entry in section.entries:
        if len(set(entry.levels)) < len(entry.levels):
            yield f"{entry.name}: a level is there twice"
    labelled = [Entry(entry.name, entry.label, ("",)) for entry in section.entries]
    for number, _, fault in label_faults(labelled, "attack"):
        yield f"{labelled[number].name}: its label {labelled[number].label!a} is {fault}"


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


def _form_faults(
    stored: StoredResult, section: AttackSection, table: pd.DataFrame, lines: list[str]
) -> Iterator[str]:
    """Yield what an attack cannot have asked; add to `lines` what this project cannot know."""
    records = stored.tables[RECORDS]
    pictured = frozenset(records.loc[records["image"] != "", "id"])
    offered = frozenset(records.loc[records["concept"].isin(OFFERED), "id"])
    questions = dict(zip(records["id"], records["question"], strict=True))
    known = {entry.name: entry for entry in section.entries}
    drawn = {target: _drawn(stored, section, target) for target in set(table["target"])}
    asked: dict[tuple[str, str], dict[float, frozenset[str]]] = defaultdict(dict)
    for key, rows in table.groupby(["target", "attack", "level"]):
        target, name, level = cast("Place", key)
        entry, place = known[name], _shown((target, name, level))
        ids = asked[target, name][level] = frozenset(rows["record_id"])
        possible = applicable(entry, drawn[target], pictured)
        if fault := choice_fault(entry, level, ids, possible, offered):
            yield f"{place}: {fault}"
        elif line := unchecked_choice(entry, level, ids, possible):
            lines.append(f"target {target}: {line}")
        yield from (f"{place}: {fault}" for fault in wording_faults(entry, rows, questions))
    for (target, name), levels in asked.items():
        count = len(applicable(known[name], drawn[target], pictured))
        faults = nested_faults(known[name], levels, count)
        yield from (f"target {target}: {fault}" for fault in faults)
    evaluation = stored.manifest.get("evaluation")
    most = evaluation.get("max_new_tokens") if isinstance(evaluation, dict) else None
    yield from count_faults(table, most if isinstance(most, int) else None)


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
