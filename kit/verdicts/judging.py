"""From the values of answers to one verdict per claim. A claim passes only if the data show it.

The threshold of a claim is compared with a lower and an upper bound, each of which is wrong in at
most 5 of 100 runs (`kit.metrics.statistics.bounded_mean`). The verdict is REPRODUCED if the whole
interval satisfies the claim, NOT_REPRODUCED if the whole interval contradicts it, INCONCLUSIVE if
the interval contains the threshold, and SKIPPED (with a reason) if there is nothing to measure.

Version 1 of the rule compares published numbers by direction alone. Version 2 demands a share of
the published difference, knows equality and gaps, and counts forgetting only where the answers are
sound and where there was something to forget. Version 3 refuses two claims about attacks: that what
was never forgotten stays away, and that a rise to the level of Retain-only is a return.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import NormalDist

from kit import __version__
from kit.errors import VerificationError
from kit.experiment.attack import Condition
from kit.experiment.claims import MIN_PUBLISHED_SHARE, ClaimSection
from kit.metrics import VERSIONS
from kit.metrics.eligibility import eligible
from kit.metrics.recovery import blind
from kit.metrics.rows import Measured
from kit.metrics.statistics import VERDICT_DECIMALS, VERDICT_ERROR, Estimate, bounded_mean
from kit.verdicts.equivalence import equivalent
from kit.verdicts.evidence import Evidence, asked_of, gather, members
from kit.verdicts.outcome import Outcome, Verdict
from kit.verdicts.returning import beyond_retain_only, never_forgotten
from kit.verdicts.soundness import unsound

__all__ = [
    "RULE", "RULES", "Evidence", "Outcome", "Verdict", "decide", "detectable", "gather", "judge",
    "judge_claims",
]  # fmt: skip
POWER = 0.8
# The version of the rule by which new claims are judged. It rises whenever equal answers could get
# another verdict, bound or detectable distance; `RULES` keeps the earlier ones.
RULE = 3


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
        VerificationError: this kit does not know that version of the rule, or a claim needs a later
            one.
    """
    if rule not in RULES:
        raise VerificationError(
            f"this version of the kit cannot judge claims by version {rule} of the rule",
            expected=f"version {' or '.join(map(str, sorted(RULES)))}, which kit {__version__} "
            "knows",
            found=f"version {rule}",
            remedy="verify with a newer version of the kit, or with the one that made the result",
        )
    if later := [claim for claim in claims if claim.first_rule > rule]:
        raise VerificationError(
            f"claim {later[0].id} cannot be judged by version {rule} of the rule",
            expected=f"version {later[0].first_rule}: earlier ones do not know this kind of claim",
            found=f"version {rule}",
            remedy="do not use these verdicts; ask the signer how they were computed",
        )
    return [RULES[rule](claim, measured, seed) for claim in claims]


def judge(claim: ClaimSection, measured: Measured, seed: int) -> Verdict:
    """Return the verdict of one claim by the newest rule."""
    verdict = replace(_judge_by_rule_2(claim, measured, seed), rule=RULE)
    if claim.kind != "returns" or verdict.outcome is not Outcome.REPRODUCED:
        return verdict
    if claim.sign < 0:
        why = never_forgotten(claim, measured)
        return replace(verdict, outcome=Outcome.NOT_REPRODUCED, reason=why) if why else verdict
    beyond = beyond_retain_only(claim, gather(claim, measured), measured)
    if beyond is None:
        return verdict
    outcome, _ = decide(claim, _bounds(claim, beyond, seed), verdict.threshold)
    if outcome is Outcome.REPRODUCED:
        return verdict
    said = (
        "without the attack it knows less than Retain-only, and a rise to that level does not "
        f"count; beyond it, {float(beyond.values.mean()):.2f} comes back"
    )
    return replace(verdict, outcome=outcome, reason=said)


def _judge_by_rule_2(claim: ClaimSection, measured: Measured, seed: int) -> Verdict:
    verdict = judge_evidence(claim, gather(claim, measured), seed)
    if verdict.outcome is Outcome.SKIPPED:
        return verdict
    if claim.attack is not None and claim.level is not None:
        condition = Condition(claim.attack, claim.level)
        if reason := blind(measured, claim.target, claim.part, condition):
            return replace(verdict, outcome=Outcome.INCONCLUSIVE, reason=reason)
    # What does not come back from a broken system was not tested.
    if not claim.forgetting and not (claim.kind == "returns" and claim.sign < 0):
        return verdict
    parts = [part for part in (claim.part, claim.other_part) if part is not None]
    if reasons := [why for part in parts if (why := eligible(measured, claim.target, part))]:
        return replace(verdict, outcome=Outcome.INCONCLUSIVE, reason=reasons[0])
    systems = [s["name"] for s in members(measured.systems, claim.system, claim.target)]
    for system in systems:
        if why := unsound(system, claim.target, measured):
            said = f"its answers are broken: {why}" + (f" ({system})" if len(systems) > 1 else "")
            return replace(verdict, outcome=Outcome.NOT_REPRODUCED, reason=said)
    return verdict


def judge_evidence(claim: ClaimSection, evidence: Evidence | str, seed: int) -> Verdict:
    """Return the verdict that the values alone give, by version 2 of the rule."""
    published = published_difference(claim)
    threshold = _threshold(claim, published)
    empty = Verdict(claim, Outcome.SKIPPED, "", rule=2, threshold=threshold, published=published)
    if isinstance(evidence, str):
        return replace(empty, reason=evidence)
    found = _bounds(claim, evidence, seed)
    outcome, reason = decide(claim, found, threshold)
    if outcome is Outcome.INCONCLUSIVE and claim.unit == "cluster" and found.clusters == 1:
        reason = "all answers belong to one cluster, which shows next to nothing about others"
    return replace(
        empty, outcome=outcome, reason=reason, estimate=found, clusters=evidence.clusters,
        seeds=evidence.seeds, detectable=detectable(claim, found, threshold),
    )  # fmt: skip


def _judge_by_rule_1(claim: ClaimSection, measured: Measured, seed: int) -> Verdict:
    evidence = gather(claim, measured)
    if isinstance(evidence, str):
        return Verdict(claim, Outcome.SKIPPED, evidence, threshold=claim.threshold)
    found = _bounds(claim, evidence, seed)
    outcome, reason = decide(claim, found)
    return Verdict(
        claim, outcome, reason, found, evidence.clusters, evidence.seeds,
        detectable(claim, found), threshold=claim.threshold,
    )  # fmt: skip


RULES: Mapping[int, Callable[[ClaimSection, Measured, int], Verdict]] = {
    1: _judge_by_rule_1,
    2: _judge_by_rule_2,
    RULE: judge,
}


def _bounds(claim: ClaimSection, evidence: Evidence, seed: int) -> Estimate:
    if claim.kind == "changed":
        # About these very answers, all of which are there: nothing is sampled.
        share = round(float(evidence.values.mean()), VERDICT_DECIMALS)
        return Estimate(share, len(evidence.ids), len(evidence.ids), share, share)
    key = ("claim", seed, *asked_of(claim), claim.part, claim.column, claim.metric, claim.unit)
    return bounded_mean(
        evidence.values, evidence.units, evidence.weights, limits=evidence.limits, key=key
    )


def published_difference(claim: ClaimSection) -> float | None:
    """Return the difference of the two published numbers as a share; None for other kinds."""
    if claim.published is None:
        return None
    percent = any(each.id == claim.metric and each.percent for each in VERSIONS.values())
    return round((claim.published[0] - claim.published[1]) / (100 if percent else 1), 9)


def _threshold(claim: ClaimSection, published: float | None) -> float:
    """Return the value that the interval is compared with, by the newest rule."""
    if published is None or claim.two_sided:
        return claim.margin if claim.two_sided else claim.threshold
    return round((claim.share or MIN_PUBLISHED_SHARE) * published, 9)


def decide(
    claim: ClaimSection, found: Estimate, threshold: float | None = None
) -> tuple[Outcome, str]:
    """Compare an interval with a claim's threshold; return the outcome and the reason.

    Every interval has exactly one of the three outcomes. Without `threshold`, the claim's own is
    used.
    """
    if found.n < 1 or found.low is None or found.high is None:
        return Outcome.INCONCLUSIVE, "there is no interval"
    if claim.two_sided:
        return equivalent(found, claim.margin)
    # With the sign reversed if less is claimed, higher is always better.
    low, high = sorted((claim.sign * found.low, claim.sign * found.high))
    limit = claim.sign * (claim.threshold if threshold is None else threshold)
    if low >= limit:
        return Outcome.REPRODUCED, ""
    if high < limit:
        return Outcome.NOT_REPRODUCED, ""
    side = "satisfies" if claim.sign * found.value >= limit else "contradicts"
    return Outcome.INCONCLUSIVE, (
        f"the value {side} the claim, but {found.clusters} independent "
        f"{'clusters' if claim.unit == 'cluster' else 'records'} leave the other side possible"
    )


def detectable(
    claim: ClaimSection, found: Estimate, threshold: float | None = None
) -> float | None:
    """Return the smallest distance from the threshold that such a run shows with a power of 0.8.

    The bound is about z(0.95) standard errors away from the value. To be detected, a true value
    must be z(0.95) + z(0.8) standard errors away. None if the metric's range is too small for that,
    or, where equality is claimed, the margin.
    """
    if found.low is None or found.high is None:
        return None
    normal = NormalDist()
    sure, power = normal.inv_cdf(1 - VERDICT_ERROR), normal.inv_cdf(POWER)
    # The wider side: if all units agree, the other side has no width and shows no spread.
    side = max(found.value - found.low, found.high - found.value)
    distance = round(side * (sure + power) / sure, VERDICT_DECIMALS)
    if claim.two_sided:
        left = claim.margin
    else:
        limit = claim.threshold if threshold is None else threshold
        left = claim.sign * (claim.range[(claim.sign + 1) // 2] - limit)
    return distance if distance <= left else None
