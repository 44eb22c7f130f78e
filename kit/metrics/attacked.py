"""From answers under attack to what is still known: one value for each answer, in [0, 1].

Every answer is measured as the same record is without an attack: by the headline metric of the
Efficacy column that asks it, turned so that 1 means known.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from kit.benchmarks.records import Column
from kit.errors import DataError
from kit.experiment.attack import Condition
from kit.metrics.definition import Definition, Measure, StoredAnswer
from kit.metrics.rows import Measured, RecordSet
from kit.metrics.stored_answers import REMEDY, STOPS

# No likelihoods are measured under attack. What reads them is replaced by what reads the text.
WITHOUT_LIKELIHOODS = {"choice_accuracy": "choice_first_character"}
KEY = ["system", "target", "attack", "level", "record_id"]


@dataclass(frozen=True)
class Attacked:
    """What systems still know under attack.

    `under` maps (system, target, part, condition) to {record: value}, the value in [0, 1] and 1 if
    the answer is known. `clean` maps (system, target, part) to the same records without an attack.
    `conditions` are those that were asked, in the order of the table.
    """

    under: Mapping[tuple[str, str, str, Condition], Mapping[str, float]]
    clean: Mapping[tuple[str, str, str], Mapping[str, float]]
    conditions: tuple[Condition, ...]


def with_attacks(measured: Measured, table: pd.DataFrame | None) -> Measured:
    """Return what was measured, with the answers under attack where a result has some.

    Raises:
        DataError: as in `measure_attacked`.
    """
    if table is None:
        return measured
    return replace(measured, attacked=measure_attacked(table, measured))


def measure_attacked(table: pd.DataFrame, measured: Measured) -> Attacked:
    """Measure every answer under attack.

    Args:
        table: columns as in answers/attacked.parquet, in any order.
        measured: the answers without an attack.

    Raises:
        DataError: an answer occurs twice, or is not of a system, target and record of this result.
    """
    places = {
        (group.target, record_id): group
        for group in measured.groups
        if group.column is Column.EFFICACY
        for record_id in group.ids
    }
    _require_joinable(table, measured, places)
    records = measured.scores.records
    measures = {place.part: _measure_of(place, measured) for place in places.values()}
    under: dict[tuple[str, str, str, Condition], dict[str, float]] = {}
    clean: dict[tuple[str, str, str], dict[str, float]] = {}
    columns = [*KEY, "text", "stop"]
    for system, target, attack, level, record_id, text, stop in (
        table.sort_values(KEY, kind="stable")[columns].itertuples(index=False, name=None)
    ):  # fmt: skip
        place = places[target, record_id]
        definition, measure = measures[place.part]
        value = measure(StoredAnswer(text, stop), records[record_id])
        known = np.nan if value is None else float(definition.knowledge(np.array([value]))[0])
        key = (system, target, place.part)
        under.setdefault((*key, Condition(attack, level)), {})[record_id] = known
        clean.setdefault(key, {})
    for (system, target, part), found in clean.items():
        place = next(g for g in measured.groups if (g.target, g.part, g.column)
                     == (target, part, Column.EFFICACY))  # fmt: skip
        definition = metric_of(place, measured)
        if measured.scores.has(system, place.ids):
            values = measured.scores.of(system, definition.name, place.ids)
            found.update(zip(place.ids, definition.knowledge(values).tolist(), strict=True))
    asked = dict.fromkeys(zip(table["attack"], table["level"], strict=True))
    return Attacked(under, clean, tuple(Condition(*each) for each in sorted(asked)))


def metric_of(place: RecordSet, measured: Measured) -> Definition:
    """Return the metric that measures a column under attack."""
    name = WITHOUT_LIKELIHOODS.get(place.headline, place.headline)
    return measured.scores.definitions[name]


def _measure_of(place: RecordSet, measured: Measured) -> tuple[Definition, Measure]:
    definition = metric_of(place, measured)
    among = definition.among
    return definition, among(measured.scores.records) if among else definition.measure


def _require_joinable(
    table: pd.DataFrame, measured: Measured, places: Mapping[tuple[str, str], RecordSet]
) -> None:
    targets = {system["name"]: system["target"] for system in measured.systems}
    ordered = table.sort_values(KEY, kind="stable")
    own = [
        system in targets and targets[system] in (None, target)
        for system, target in zip(ordered["system"], ordered["target"], strict=True)
    ]
    asked = [pair in places for pair in zip(ordered["target"], ordered["record_id"], strict=True)]
    for bad, what in (
        (~pd.Series(own, index=ordered.index, dtype=bool), "is of no system with that target"),
        (~pd.Series(asked, index=ordered.index, dtype=bool), "is to no question of that target"),
        (ordered.duplicated(KEY), "occurs twice"),
        (~np.isfinite(ordered["level"]), "has a level that is no number"),
        (~ordered["stop"].isin(STOPS), f"has a stop that is none of {', '.join(STOPS)}"),
    ):
        if bad.any():
            row = ordered[bad].iloc[0]
            place = "/".join(map(str, row[KEY]))
            raise DataError(
                f"the answer under attack {place} {what}",
                expected="one answer for each attack, level and question of a system's target",
                found=f"{int(bad.sum())} such answers",
                remedy=REMEDY,
            )
