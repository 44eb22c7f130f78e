"""Where does forgetting stop? Across modalities, across concepts, and among neighbours.

The formulas are the kit's own. All four compute with the headline metric of a column, turned so
that higher means known: m(system). No value has an interval: each compares four means or more.
"""

import numpy as np

from kit.benchmarks.records import Column
from kit.metrics.eligibility import MARGIN
from kit.metrics.record_sets import RecordSet
from kit.metrics.statistics import Estimate
from kit.metrics.system_metric import Absent, SystemMetric, SystemPart

DECIMALS = 6
NO_VIEWS = "the benchmark does not ask for the same facts in another modality"
NO_ROLES = "there is no Vanilla or no Retain-only model to compare with"
NOT_MEASURED = "the headline metric of a column was not measured"


def modality_gap(place: SystemPart, _: Column | None) -> Estimate | Absent:
    """Return (m_other(u) - m_other(*)) - (m_own(u) - m_own(*)), of what is to be forgotten.

    u is the method, * is Retain-only. `own` asks in the modality that unlearning uses, `other` in
    the other one. Above 0: more is left of the facts in the other modality.
    """
    pair = _views(place)
    if isinstance(pair, Absent):
        return pair
    if place.retain_only is None:
        return Absent(NO_ROLES)
    lefts = []
    for records in pair:
        own, retain = (_mean(place, name, records) for name in (place.name, place.retain_only))
        lefts.append(own - retain)
    return _number(lefts[1] - lefts[0], sum(len(records.ids) for records in pair))


def cross_modal_leakage(place: SystemPart, _: Column | None) -> Estimate | Absent:
    """Return max(0, m_other(u) - m_other(*)) / (m_other(0) - m_other(*)); 0 is Vanilla.

    It is the share of Vanilla's knowledge that the other modality still reaches. Absent where
    Vanilla knows no more than 0.1 above Retain-only: there is then nothing to leak.
    """
    pair = _views(place)
    if isinstance(pair, Absent):
        return pair
    if place.retain_only is None or place.vanilla is None:
        return Absent(NO_ROLES)
    other = pair[1]
    names = place.name, place.vanilla, place.retain_only
    own, vanilla, retain = (_mean(place, name, other) for name in names)
    if np.isnan(vanilla - retain) or vanilla - retain <= MARGIN:
        return Absent("Vanilla knows little more than Retain-only in the other modality")
    return _number(max(0.0, own - retain) / (vanilla - retain), len(other.ids))


def concept_interference(place: SystemPart, _: Column | None) -> Estimate | Absent:
    """Return the relative loss of Scope minus that of Retain, (m(0) - m(u)) / m(0) each.

    Scope asks for the other concept on the images of the forget set: what is lost there beyond
    what is lost in Retain is lost because unlearning saw these images.
    """
    losses, counted = [], 0
    for column in (Column.SCOPE, Column.RETAIN):
        records = place.records(column)
        if records is None:
            return Absent(f"the target has no column {column}")
        if place.vanilla is None:
            return Absent(NO_ROLES)
        own, vanilla = (_mean(place, name, records) for name in (place.name, place.vanilla))
        if vanilla == 0:
            return Absent(f"Vanilla knows nothing in {column}")
        losses.append((vanilla - own) / vanilla)
        counted += len(records.ids)
    return _number(losses[0] - losses[1], counted)


def neighbour_damage(place: SystemPart, _: Column | None) -> Estimate | Absent:
    """Return what Retain loses among neighbours of the forget set minus what it loses elsewhere.

    Neighbours are records of Retain that share an event with a record of Efficacy where people are
    forgotten, or a person where events are. Each loss is the mean of m(0) - m(u).
    """
    company = place.measured.protocol.parts[place.part].company
    if not company:
        return Absent("records of different people share nothing in this benchmark")
    forget, retain = place.records(Column.EFFICACY), place.records(Column.RETAIN)
    if forget is None or retain is None:
        return Absent("the set of this column is empty")
    if place.vanilla is None:
        return Absent(NO_ROLES)
    records = place.measured.scores.records
    shared = {getattr(records[name], company) for name in forget.ids} - {""}
    near = np.array([getattr(records[name], company) in shared for name in retain.ids])
    if near.all() or not near.any():
        return Absent("all records of Retain are neighbours, or none is")
    own, vanilla = (place.knowledge(name, retain) for name in (place.name, place.vanilla))
    lost = vanilla - own
    return _number(float(lost[near].mean() - lost[~near].mean()), len(retain.ids))


def _views(place: SystemPart) -> tuple[RecordSet, RecordSet] | Absent:
    """Return what is to be forgotten, as asked in this part's modality and in the other one."""
    for own, other in place.measured.protocol.views.get(place.target, ()):
        if own == place.part:
            found = [place.records(Column.EFFICACY, part) for part in (own, other)]
            if found[0] is None or found[1] is None:
                return Absent("the set of this column is empty")
            return found[0], found[1]
        if other == place.part:
            return Absent(f"it is in the row of {own}, the view that unlearning uses")
    return Absent(NO_VIEWS)


def _mean(place: SystemPart, system: str, records: RecordSet) -> float:
    return float(place.knowledge(system, records).mean())


def _number(value: float, n: int) -> Estimate | Absent:
    if np.isnan(value):
        return Absent(NOT_MEASURED)
    return Estimate(round(value, DECIMALS) + 0.0, n, 0, None, None)


METRICS = (
    SystemMetric(
        "modality_gap", 1,
        "What is left of the facts to be forgotten in the other modality, minus what is left in "
        "the one that unlearning uses: each the headline metric minus Retain-only's. Above 0: they "
        "were forgotten in one modality alone. The kit's own.",
        modality_gap, unit="-2 to 2", better="lower",
    ),
    SystemMetric(
        "cross_modal_leakage", 1,
        "The share of Vanilla's knowledge above Retain-only's that is left in the other modality; "
        "0 where nothing is. The kit's own.",
        cross_modal_leakage, better="lower",
    ),
    SystemMetric(
        "concept_interference", 1,
        "The relative loss in Scope (the other concept, on the images of the forget set) minus the "
        "relative loss in Retain, both against Vanilla. Above 0: forgetting one concept damages "
        "the other one in the same images. The kit's own, after PEBench's term cross-concept "
        "interference (arXiv 2503.12545), whose formula is not published.",
        concept_interference, unit="share", better="lower",
    ),
    SystemMetric(
        "neighbour_damage", 1,
        "What Retain loses against Vanilla among records that share an event (or, where events are "
        "forgotten, a person) with the forget set, minus what it loses elsewhere. The kit's own.",
        neighbour_damage, unit="-1 to 1", better="lower",
    ),
)  # fmt: skip
