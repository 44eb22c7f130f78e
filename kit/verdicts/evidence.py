"""The values of the answers that decide a claim, or the reason why there are none."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kit.experiment.attack import Condition
from kit.experiment.claims import ClaimSection
from kit.experiment.systems import RETAIN_ONLY
from kit.metrics.attacked import metric_of
from kit.metrics.definition import Definition
from kit.metrics.recovery import names_of, recovery
from kit.metrics.rows import Measured, RecordSet
from kit.result.run_file import System, entries


@dataclass(frozen=True)
class Evidence:
    """The values that decide a claim: one per record, the mean over the seeds of each system.

    `values`, `weights` and `units` are [n]; `units` are codes of the resampled units. The claim's
    value is the (weighted) mean of `values`, each of which is within `limits`. `systems` are the
    names of all systems that answered, `ids` those of the records.
    """

    ids: tuple[str, ...]
    values: np.ndarray
    weights: np.ndarray | None
    units: np.ndarray
    clusters: int
    systems: tuple[str, ...]
    seeds: int
    limits: tuple[float, float]


@dataclass(frozen=True)
class _Asked:
    """The values of one or two systems in one part: each [records], the mean over seeds."""

    place: RecordSet
    definition: Definition
    values: list[np.ndarray]
    names: list[str]
    seeds: int


def gather(
    claim: ClaimSection, measured: Measured, *, only_seed: int | None = None
) -> Evidence | str:
    """Return the values that decide a claim, or the reason why there are none.

    Args:
        claim: any claim; the systems, sets or metrics that it names may not exist.
        measured: the answers of a result.
        only_seed: use only this seed of the systems that have several.
    """
    if claim.kind == "changed":
        return _changed(claim, measured, only_seed)
    if claim.kind == "returns":
        return _returned(claim, measured, only_seed)
    first = _ask(claim, claim.part, claim.metric, measured, only_seed)
    if isinstance(first, str):
        return first
    if claim.other_part is None or claim.other_metric is None:
        return _of_one_part(claim, first, measured)
    second = _ask(claim, claim.other_part, claim.other_metric, measured, only_seed)
    return second if isinstance(second, str) else _gaps(claim, first, second, measured)


def asked_of(claim: ClaimSection) -> list[tuple[str, str]]:
    """Return (entry, target) of the one or two systems of a claim."""
    first = [(claim.system, claim.target)]
    return [*first, (claim.other, claim.other_target or claim.target)] if claim.other else first


def members(systems: Sequence[System], entry: str, target: str) -> list[System]:
    """Return the systems of an entry that were measured for a target: one for each seed."""
    return [s for s in entries(systems).get(entry, []) if s["target"] in (None, target)]


def _returned(claim: ClaimSection, measured: Measured, only_seed: int | None) -> Evidence | str:
    """Return for each record what comes back under the attack of the claim."""
    if claim.attack is None or claim.level is None:
        return "the claim names no attack"
    names = _chosen(members(measured.systems, claim.system, claim.target), only_seed)
    asked = _ask(claim, claim.part, claim.metric, measured, only_seed)
    if isinstance(asked, str):
        return asked
    if metric_of(asked.place, measured) != asked.definition:
        return f"{claim.metric} is not what is measured under attack"
    condition = Condition(claim.attack, claim.level)
    found = recovery(measured, names, claim.target, claim.part, condition)
    if isinstance(found, str):
        return found
    return Evidence(
        ids=found.ids, values=found.values, weights=None,
        units=found.clusters if claim.unit == "cluster" else np.arange(len(found.ids)),
        clusters=len(np.unique(found.clusters)),
        systems=(*names, *names_of(measured, RETAIN_ONLY, claim.target)), seeds=len(names),
        limits=claim.range,
    )  # fmt: skip


def _changed(claim: ClaimSection, measured: Measured, only_seed: int | None) -> Evidence | str:
    """Return for each record of the target whether the two systems word the answer differently."""
    places = [group for group in measured.groups if group.target == claim.target]
    ids = sorted({name for place in places for name in place.ids})
    if not ids:
        return f"there are no records about {claim.target}"
    sides = []
    for entry, target in asked_of(claim):
        mine = _chosen(members(measured.systems, entry, target), only_seed)
        if not mine:
            return f"{entry} was not run for target {target}"
        if any(not measured.scores.has(system, ids) for system in mine):
            return f"{entry} for target {target} was not asked the records of {claim.target}"
        sides.append(mine)
    asked = measured.answers[measured.answers["system"].isin([*sides[0], *sides[1]])]
    texts = asked.pivot(index="record_id", columns="system", values="text").loc[ids]
    pairs = [(mine, other) for mine in sides[0] for other in sides[1]]
    values = np.mean([(texts[one] != texts[two]).to_numpy(float) for one, two in pairs], axis=0)
    return Evidence(
        ids=tuple(ids), values=values, weights=None, units=np.arange(len(ids)),
        clusters=len(ids), systems=(*sides[0], *sides[1]), seeds=min(map(len, sides)),
        limits=claim.range,
    )  # fmt: skip


def _chosen(run: Sequence[System], only_seed: int | None) -> list[str]:
    # A system that was trained once is compared with every seed of the other.
    return [s["name"] for s in run if only_seed in (None, s["seed"]) or len(run) == 1]


def _ask(
    claim: ClaimSection, part: str, metric: str, measured: Measured, only_seed: int | None
) -> _Asked | str:
    name = metric.partition("/")[0]
    definition = measured.scores.definitions.get(name)
    if definition is None or definition.id != metric:
        return f"this version of the kit has no metric {metric}"
    if definition.retired:
        return f"{metric} is no longer computed: {definition.retired}"
    where = (claim.target, part, claim.column)
    place = next((g for g in measured.groups if (g.target, g.part, g.column) == where), None)
    if place is None or not place.ids:
        return f"the set {claim.target}/{part}/{claim.column} does not exist or is empty"
    values, names, seeds = [], [], []
    for entry, target in asked_of(claim):
        mine = _chosen(members(measured.systems, entry, target), only_seed)
        if not mine:
            return f"{entry} was not run for target {target}"
        if any(not measured.scores.has(system, place.ids) for system in mine):
            return f"{entry} for target {target} was not asked the records of {claim.target}"
        found = [measured.scores.of(system, name, place.ids) for system in mine]
        values.append(np.mean(found, axis=0))
        names += mine
        seeds.append(len(mine))
    return _Asked(place, definition, values, names, min(seeds))


def _of_one_part(claim: ClaimSection, asked: _Asked, measured: Measured) -> Evidence | str:
    of = asked.values[0] - asked.values[1] if claim.paired else asked.values[0]
    exists = np.isfinite(of)
    if not exists.any():
        return f"no record has a value: {asked.definition.absent or 'not measured'}"
    weights = None
    if asked.definition.weight is not None:
        name = asked.definition.name
        if claim.paired or len(asked.names) > 1:
            return f"{name} is a ratio of sums: only a bound of one run can be judged"
        weights = measured.scores.weights_of(asked.names[0], name, asked.place.ids)
    clusters = asked.place.clusters(measured.scores)[exists]
    ids = tuple(np.array(asked.place.ids)[exists].tolist())
    return Evidence(
        ids=ids,
        values=of[exists],
        weights=None if weights is None else weights[exists],
        units=clusters if claim.unit == "cluster" else np.arange(len(ids)),
        clusters=len(np.unique(clusters)),
        systems=tuple(asked.names),
        seeds=asked.seeds,
        limits=claim.range,
    )


def _gaps(claim: ClaimSection, first: _Asked, second: _Asked, measured: Measured) -> Evidence | str:
    """Return values whose mean is the gap of `other` minus the gap of `system`.

    A gap is the distance between the means of the two parts. The parts have different records, so
    each record's value is weighted by the size of its part. The signs of both gaps are those that
    were observed: with another sign, a true gap would only be larger for `other`, or as large for
    `system` as an error of the bound that is counted already.
    """
    sides = (first, second)
    if any(asked.definition.weight is not None for asked in sides):
        return "a ratio of sums has no gap between parts"
    exists = [np.isfinite(asked.values[0] - asked.values[1]) for asked in sides]
    if not all(mask.any() for mask in exists):
        return "no record of one of the two parts has a value"
    kept = [[v[mask] for v in asked.values] for asked, mask in zip(sides, exists, strict=True)]
    gap_system, gap_other = (float(kept[0][i].mean() - kept[1][i].mean()) for i in (0, 1))
    turn, turn_other = (1 if gap >= 0 else -1 for gap in (gap_system, gap_other))
    sizes = [len(part[0]) for part in kept]
    scales = [sum(sizes) / sizes[0], -sum(sizes) / sizes[1]]
    values = [
        scale * (turn_other * part[1] - turn * part[0])
        for scale, part in zip(scales, kept, strict=True)
    ]
    widest = max(map(abs, scales)) * (1 if turn == turn_other else 2)
    codes = [a.place.clusters(measured.scores)[mask] for a, mask in zip(sides, exists, strict=True)]
    clusters = np.concatenate([codes[0], codes[1] + codes[0].max() + 1])
    ids = [
        name
        for asked, mask in zip(sides, exists, strict=True)
        for name in np.array(asked.place.ids)[mask].tolist()
    ]
    return Evidence(
        ids=tuple(ids),
        values=np.concatenate(values),
        weights=None,
        units=clusters if claim.unit == "cluster" else np.arange(len(ids)),
        clusters=len(np.unique(clusters)),
        systems=tuple(first.names),
        seeds=first.seeds,
        limits=(-widest, widest),
    )
