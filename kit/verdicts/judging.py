"""From the values of answers to one verdict per claim. A claim passes only if the data show it.

The threshold of a claim is compared with a lower and an upper bound, each of which is wrong in at
most 5 of 100 runs (`kit.metrics.statistics.bounded_mean`). The verdict is REPRODUCED if the whole
interval satisfies the claim, NOT_REPRODUCED if the whole interval contradicts it, INCONCLUSIVE if
the interval contains the threshold, and SKIPPED (with a reason) if there is nothing to measure.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

import numpy as np

from kit import __version__
from kit.errors import VerificationError
from kit.experiment.claims import ClaimSection
from kit.metrics.rows import Measured, RecordSet
from kit.metrics.statistics import VERDICT_DECIMALS, VERDICT_ERROR, Estimate, bounded_mean
from kit.result.run_file import entries

POWER = 0.8
# The version of the rule by which new claims are judged. It rises whenever equal answers could get
# another verdict, bound or detectable distance; `RULES` keeps the earlier ones.
RULE = 1


class Outcome(StrEnum):
    """The four verdicts; only the first is a pass."""

    REPRODUCED = "REPRODUCED"
    NOT_REPRODUCED = "NOT_REPRODUCED"
    INCONCLUSIVE = "INCONCLUSIVE"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True)
class Evidence:
    """The values that decide a claim: one per record, the mean over the seeds of each system.

    `values`, `weights` and `units` are [n]; `units` are codes of the resampled units. `systems` are
    the names of all systems that answered, `ids` those of the records.
    """

    ids: tuple[str, ...]
    values: np.ndarray
    weights: np.ndarray | None
    units: np.ndarray
    clusters: int
    systems: tuple[str, ...]
    seeds: int


@dataclass(frozen=True)
class Verdict:
    """The outcome of one claim; `estimate` is None if it was skipped.

    `detectable` is the distance from the threshold that this many units with this spread show in 4
    of 5 runs; None if no possible value of the metric is that far away.
    """

    claim: ClaimSection
    outcome: Outcome
    reason: str
    estimate: Estimate | None = None
    clusters: int = 0
    seeds: int = 0
    detectable: float | None = None


def judge_claims(
    claims: Sequence[ClaimSection], measured: Measured, *, seed: int, rule: int = RULE
) -> list[Verdict]:
    """Return the verdict of every claim, in the order of the claims.

    Args:
        claims: the claims of the manifest.
        measured: the answers of a result.
        seed: the seed of the intervals.
        rule: the version of the rule; a stored claims.json names it.

    Raises:
        VerificationError: this kit does not know that version of the rule.
    """
    if rule not in RULES:
        raise VerificationError(
            f"this version of the kit cannot judge claims by version {rule} of the rule",
            expected=f"version {' or '.join(map(str, sorted(RULES)))}, which kit {__version__} "
            "knows",
            remedy="verify with a newer version of the kit, or with the one that made the result",
        )
    return [RULES[rule](claim, gather(claim, measured), seed) for claim in claims]


def gather(
    claim: ClaimSection, measured: Measured, *, only_seed: int | None = None
) -> Evidence | str:
    """Return the values that decide a claim, or the reason why there are none.

    Args:
        claim: any claim; the systems, sets or metrics that it names may not exist.
        measured: the answers of a result.
        only_seed: use only this seed of the systems that have several.
    """
    name = claim.metric.partition("/")[0]
    definition = measured.scores.definitions.get(name)
    if definition is None or definition.id != claim.metric:
        return f"this version of the kit has no metric {claim.metric}"
    if definition.retired:
        return f"{claim.metric} is no longer computed: {definition.retired}"
    place = _place(claim, measured.groups)
    if place is None or not place.ids:
        return f"the set {claim.target}/{claim.part}/{claim.column} does not exist or is empty"
    values, names, seeds = [], [], []
    for entry, target in _asked_of(claim):
        run = [s for s in entries(measured.systems).get(entry, []) if s["target"] in (None, target)]
        # A system that was trained once is compared with every seed of the other.
        members = [s["name"] for s in run if only_seed in (None, s["seed"]) or len(run) == 1]
        if not members:
            return f"{entry} was not run for target {target}"
        if any(not measured.scores.has(system, place.ids) for system in members):
            return f"{entry} for target {target} was not asked the records of {claim.target}"
        found = [measured.scores.of(system, name, place.ids) for system in members]
        values.append(np.mean(found, axis=0))
        names += members
        seeds.append(len(members))
    return _evidence(claim, place, measured, values, names, min(seeds))


def _asked_of(claim: ClaimSection) -> list[tuple[str, str]]:
    """Return (entry, target) of the one or two systems of a claim."""
    first = [(claim.system, claim.target)]
    return [*first, (claim.other, claim.other_target or claim.target)] if claim.other else first


def _place(claim: ClaimSection, groups: Sequence[RecordSet]) -> RecordSet | None:
    where = (claim.target, claim.part, claim.column)
    return next((g for g in groups if (g.target, g.part, g.column) == where), None)


def _evidence(
    claim: ClaimSection,
    place: RecordSet,
    measured: Measured,
    values: list[np.ndarray],
    names: list[str],
    seeds: int,
) -> Evidence | str:
    definition = measured.scores.definitions[claim.metric.partition("/")[0]]
    of = values[0] - values[1] if claim.paired else values[0]
    exists = np.isfinite(of)
    if not exists.any():
        return f"no record has a value: {definition.absent or 'not measured'}"
    weights = None
    if definition.weight is not None:
        if claim.paired or len(names) > 1:
            return f"{definition.name} is a ratio of sums: only a bound of one run can be judged"
        weights = measured.scores.weights_of(names[0], definition.name, place.ids)
    clusters = place.clusters(measured.scores)[exists]
    ids = tuple(np.array(place.ids)[exists].tolist())
    return Evidence(
        ids=ids,
        values=of[exists],
        weights=None if weights is None else weights[exists],
        units=clusters if claim.unit == "cluster" else np.arange(len(ids)),
        clusters=len(np.unique(clusters)),
        systems=tuple(names),
        seeds=seeds,
    )


def judge(claim: ClaimSection, evidence: Evidence | str, seed: int) -> Verdict:
    """Return the verdict of one claim."""
    if isinstance(evidence, str):
        return Verdict(claim, Outcome.SKIPPED, evidence)
    key = ("claim", seed, *_asked_of(claim), claim.part, claim.column, claim.metric, claim.unit)
    found = bounded_mean(
        evidence.values, evidence.units, evidence.weights, limits=claim.range, key=key
    )
    outcome, reason = decide(claim, found)
    return Verdict(
        claim, outcome, reason, found, evidence.clusters, evidence.seeds, detectable(claim, found)
    )


RULES: Mapping[int, Callable[[ClaimSection, Evidence | str, int], Verdict]] = {RULE: judge}


def decide(claim: ClaimSection, found: Estimate) -> tuple[Outcome, str]:
    """Compare an interval with a claim's threshold; return the outcome and the reason.

    Every interval has exactly one of the three outcomes.
    """
    if found.n < 1 or found.low is None or found.high is None:
        return Outcome.INCONCLUSIVE, "there is no interval"
    # With the sign reversed if less is claimed, higher is always better.
    low, high = sorted((claim.sign * found.low, claim.sign * found.high))
    threshold = claim.sign * claim.threshold
    if low >= threshold:
        return Outcome.REPRODUCED, ""
    if high < threshold:
        return Outcome.NOT_REPRODUCED, ""
    side = "satisfies" if claim.sign * found.value >= threshold else "contradicts"
    return Outcome.INCONCLUSIVE, (
        f"the value {side} the claim, but {found.clusters} independent "
        f"{'clusters' if claim.unit == 'cluster' else 'records'} leave the other side possible"
    )


def detectable(claim: ClaimSection, found: Estimate) -> float | None:
    """Return the smallest distance from the threshold that such a run shows with a power of 0.8.

    The bound is about z(0.95) standard errors away from the value. To be detected, a true value
    must be z(0.95) + z(0.8) standard errors away. None if the metric's range is too small for that.
    """
    if found.low is None or found.high is None:
        return None
    normal = NormalDist()
    sure, power = normal.inv_cdf(1 - VERDICT_ERROR), normal.inv_cdf(POWER)
    # The wider side: if all units agree, the other side has no width and shows no spread.
    side = max(found.value - found.low, found.high - found.value)
    distance = round(side * (sure + power) / sure, VERDICT_DECIMALS)
    left = claim.sign * (claim.range[(claim.sign + 1) // 2] - claim.threshold)
    return distance if distance <= left else None
