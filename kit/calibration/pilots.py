"""The claims of a manifest on its pilot seeds: values, spreads, and why one cannot be made."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kit.calibration.rule import LEAST, MOST, Spread, factor, least_of_units, spread_of
from kit.errors import ManifestError
from kit.experiment.claims import ClaimSection
from kit.metrics.rows import Measured
from kit.names import listed
from kit.verdicts.evidence import Evidence, gather, members
from kit.verdicts.judging import judge
from kit.verdicts.outcome import Outcome, Verdict
from kit.verdicts.seeds import of_seed
from kit.verdicts.soundness import MAX_BROKEN, broken_share

# Where some answers are broken, the model of another seed may break down. So a claim of forgetting
# needs pilots that are far from the limit of soundness.
MAX_PILOT_BROKEN = MAX_BROKEN / 10


@dataclass(frozen=True)
class Piloted:
    """One claim on the pilots: its verdict for each seed, and the spread of its values.

    `broken` is the largest share of broken answers of any pilot, for a claim of forgetting.
    `least_sd` is half an answer: pilots that agree do not show that every seed will. It is 0 for
    systems that are trained once.
    """

    claim: ClaimSection
    verdicts: dict[int, Verdict]
    spread: Spread | None
    broken: float = 0.0
    least_sd: float = 0.0

    @property
    def values(self) -> dict[int, float]:
        """Return {seed: value}, without seeds in which nothing was measured."""
        found = {seed: verdict.estimate for seed, verdict in self.verdicts.items()}
        return {seed: each.value for seed, each in found.items() if each is not None}

    def room(self) -> list[float]:
        """Return how far the interval of each seed is inside the claim; negative: outside."""
        return [_room(verdict) for verdict in self.verdicts.values()]


def pilot_claims(
    claims: Sequence[ClaimSection],
    measured: Measured,
    seeds: Sequence[int],
    *,
    reference_seeds: int,
    seed: int,
) -> list[Piloted]:
    """Judge every claim on each pilot seed alone, and compute the spread of its values.

    Args:
        claims: the claims of the manifest.
        measured: the answers of a result that has all pilot seeds.
        seeds: the pilot seeds.
        reference_seeds: how many seeds the reference has.
        seed: the seed of the intervals.
    """
    of = {each: of_seed(measured, each) for each in seeds}
    found = []
    for claim in claims:
        verdicts = {each: judge(claim, of[each], seed) for each in seeds}
        evidence = [gather(claim, of[each]) for each in seeds]
        spread = _spread(
            [each for each in evidence if not isinstance(each, str)],
            len(seeds), claims=len(claims), reference_seeds=reference_seeds,
        )  # fmt: skip
        broken = max(_broken(claim, each) for each in of.values()) if claim.forgetting else 0.0
        several = len({each.systems for each in evidence if not isinstance(each, str)}) > 1
        records = min((len(e.ids) for e in evidence if not isinstance(e, str)), default=1)
        found.append(Piloted(claim, verdicts, spread, broken, 0.5 / records if several else 0.0))
    return found


def _broken(claim: ClaimSection, measured: Measured) -> float:
    systems = members(measured.systems, claim.system, claim.target)
    return max(
        (broken_share(system["name"], claim.target, measured) for system in systems), default=0.0
    )


def _spread(
    evidence: Sequence[Evidence], seeds: int, *, claims: int, reference_seeds: int
) -> Spread | None:
    if len(evidence) < seeds:
        return None
    values = [float(np.average(each.values, weights=each.weights)) for each in evidence]
    first = evidence[0]
    least = LEAST
    if len({each.systems for each in evidence}) == 1:  # trained once
        units = len(np.unique(first.units))
        least = max(LEAST, least_of_units(units, first.limits[1] - first.limits[0]))
    return spread_of(
        values, records=len(first.ids), claims=claims, reference_seeds=reference_seeds, least=least
    )


def require_claimable(piloted: Sequence[Piloted]) -> None:
    """Check that each claim holds on each pilot, with room for a fresh seed, and is not too noisy.

    Raises:
        ManifestError: some are not; the error names the claims, the seeds and the values.
    """
    faults = [fault for each in piloted for fault in _faults(each, len(piloted))]
    if faults:
        raise ManifestError(
            f"{len(faults)} claims cannot be made: the pilots do not support them",
            expected="claims that hold on every pilot seed, and would on a fresh one",
            found="\n    ".join(faults),
            remedy="move the thresholds, drop the claims, or claim what is stable; nothing was "
            "written",
        )


def _faults(piloted: Piloted, claims: int) -> Iterator[str]:
    name = piloted.claim.id
    failed = {s: v for s, v in piloted.verdicts.items() if v.outcome is not Outcome.REPRODUCED}
    if failed:
        said = [
            f"seed {seed} {_value(verdict)} {verdict.outcome}"
            + (f" ({verdict.reason})" if verdict.reason else "")
            for seed, verdict in failed.items()
        ]
        yield f"{name} fails on {len(failed)} of {len(piloted.verdicts)} pilots: {listed(said)}"
        return
    if piloted.broken > MAX_PILOT_BROKEN:
        yield (
            f"{name} is a claim of forgetting, but {100 * piloted.broken:.0f} % of the answers of "
            f"a pilot are broken, more than {100 * MAX_PILOT_BROKEN:g} %: others may break down"
        )
        return
    stated = "equivalence" in piloted.claim.model_fields_set
    if piloted.spread and piloted.spread.equivalence > MOST and not stated:
        yield (
            f"{name} is too noisy to be claimed: its values have a standard deviation of "
            f"{piloted.spread.sd:.3f}, which gives an equivalence of "
            f"{piloted.spread.equivalence:.2f}, more than {MOST:.2f}"
        )
        return
    if piloted.claim.kind == "changed":
        return  # a count of a few answers is not normally distributed
    room = np.asarray(piloted.room())
    spread = max(float(room.std(ddof=1)), piloted.least_sd)
    width = factor(len(room), claims=claims, reference_seeds=len(room)) * spread
    if room.mean() < width:
        side = -1 if piloted.claim.two_sided else piloted.claim.sign
        threshold = next(iter(piloted.verdicts.values())).threshold
        enough = threshold - side * float(width - room.mean())
        # Rounded to the side that leaves more room.
        enough = math.floor(side * enough * 100 + 1e-9) / 100 * side
        yield (
            f"{name} holds on all pilots, but its threshold {threshold:.2f} is too close to their "
            f"values for a fresh seed: {enough:.2f} would do"
        )


def _value(verdict: Verdict) -> str:
    return "has no value," if verdict.estimate is None else f"{verdict.estimate.value:.3f}"


def _room(verdict: Verdict) -> float:
    found, claim = verdict.estimate, verdict.claim
    if found is None or found.low is None or found.high is None:
        return float("-inf")
    if claim.two_sided:
        return claim.margin - max(abs(found.low), abs(found.high))
    worst = found.low if claim.sign > 0 else found.high
    return claim.sign * (worst - verdict.threshold)
