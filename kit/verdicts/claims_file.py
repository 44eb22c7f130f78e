"""claims.json: every claim of a result with its verdict, and the check that it follows."""

from collections.abc import Collection, Mapping, Sequence

from kit.digests import canonical_json
from kit.errors import VerificationError
from kit.names import listed, show
from kit.result.layout import CLAIMS
from kit.result.stored import CLAIMS_SCHEMA as SCHEMA
from kit.result.stored import StoredVerdicts
from kit.result.stored_values import ABSENT, same_value, same_words
from kit.verdicts.judging import RULE
from kit.verdicts.outcome import Outcome, Verdict

# The fields that the rule decides; the others repeat the manifest.
JUDGED = frozenset(
    {
        "verdict", "reason", "value", "low", "high", "n", "clusters", "units", "seeds",
        "detectable", "sign", "size",
    }
)  # fmt: skip


def entry(verdict: Verdict) -> dict[str, object]:
    """Return one entry of claims.json: values in the metric's own unit, null if there is none."""
    claim, found = verdict.claim, verdict.estimate
    sides = {1: "at least", -1: "at most", 0: "within"}
    said: dict[str, object] = {
        "id": claim.id, "verdict": str(verdict.outcome), "reason": verdict.reason,
        "text": claim.text, "location": claim.location, "kind": claim.kind,
        "target": claim.target, "part": claim.part, "column": claim.column,
        "metric": claim.metric, "system": claim.system, "other": claim.other,
        "other_target": claim.other_target, "unit": claim.unit,
        "direction": sides[0 if claim.two_sided else claim.sign],
        "threshold": verdict.threshold, "margin": claim.margin,
        "value": found and found.value, "low": found and found.low, "high": found and found.high,
        "n": found.n if found else 0, "clusters": verdict.clusters,
        "units": found.clusters if found else 0, "seeds": verdict.seeds,
        "detectable": verdict.detectable, "cost": claim.cost,
    }  # fmt: skip
    return said if verdict.rule == 1 else said | _later(verdict)


def _later(verdict: Verdict) -> dict[str, object]:
    """Return the fields that version 2 of the rule adds.

    `published` is the published difference as a share, `sign` says whether the measured one has the
    same sign, and `size` is the measured one as a share of it.
    """
    claim, published, found = verdict.claim, verdict.published, verdict.estimate
    sign, size = "", None
    if published and found is not None:
        product = found.value * published
        sign = "same" if product > 0 else "opposite" if product < 0 else "no difference"
        size = round(found.value / published, 6)
    attack = {} if claim.attack is None else {"attack": claim.attack, "level": claim.level}
    return {
        "forgetting": claim.forgetting, "other_part": claim.other_part,
        "other_metric": claim.other_metric, "share": claim.share, "published": published,
        "sign": sign, "size": size, **attack,
    }  # fmt: skip


def to_json(verdicts: Sequence[Verdict]) -> bytes:
    """Return claims.json, equal byte for byte for equal verdicts; `rule` is the rule's version.

    All verdicts are of one version of the rule, as `judge_claims` returns them.
    """
    entries = [entry(verdict) for verdict in verdicts]
    rule = verdicts[0].rule if verdicts else RULE
    return canonical_json({"schema": SCHEMA, "rule": rule, "claims": entries}) + b"\n"


def count(verdicts: Sequence[Verdict]) -> str:
    """Return the number of claims per verdict, such as `3 REPRODUCED, 1 SKIPPED`."""
    numbers = {o: sum(v.outcome is o for v in verdicts) for o in Outcome}
    return ", ".join(f"{number} {outcome}" for outcome, number in numbers.items() if number)


def require_claims(
    stored: StoredVerdicts | None, verdicts: Sequence[Verdict], unchecked: Collection[str] = ()
) -> None:
    """Compare a stored claims.json with the verdicts that follow from the answers.

    The wording of a reason may come from another version of the kit; all else must be equal.

    Args:
        stored: the parsed claims.json; None if the result has none.
        verdicts: the verdicts that follow, judged by the version of the rule in claims.json.
        unchecked: ids of claims whose verdict this kit no longer computes.

    Raises:
        VerificationError: it is missing or differs; the error names the claims.
    """
    if stored is None:
        if verdicts:
            missing = ", ".join(verdict.claim.id for verdict in verdicts)
            raise _differ([f"the file is missing; the manifest claims {missing}"])
        return
    right = {verdict.claim.id: entry(verdict) for verdict in verdicts}
    held = {str(line.get("id")): line for line in stored.entries}
    faults = _differences(held, right, unchecked)
    if not faults and [line.get("id") for line in stored.entries] != list(right):
        faults = ["the claims are in another order, or one occurs twice"]
    if faults:
        raise _differ(faults)


def _differences(
    held: Mapping[str, Mapping[str, object]],
    right: Mapping[str, Mapping[str, object]],
    unchecked: Collection[str],
) -> list[str]:
    found = [f"claim {name} is missing" for name in right if name not in held]
    found += [f"claim {show(name)} is not in the manifest" for name in held if name not in right]
    for name in (name for name in right if name in held):
        for key in sorted({*held[name], *right[name]}):
            if name in unchecked and key in JUDGED:
                continue
            stored, computed = held[name].get(key, ABSENT), right[name].get(key, ABSENT)
            if not (same_words if key == "reason" else same_value)(stored, computed):
                ours = "missing" if stored is ABSENT else repr(stored)
                right_one = "nothing" if computed is ABSENT else repr(computed)
                found.append(f"claim {name}: {show(f'{key} is {ours}')}, recomputed {right_one}")
    return found


def _differ(found: list[str]) -> VerificationError:
    return VerificationError(
        f"{CLAIMS} does not follow from the manifest and the stored answers",
        expected="the verdicts that this version of the kit computes",
        found=listed(found),
        remedy="do not use these verdicts; ask the signer how they were computed",
    )
