"""claims.json: every claim of a result with its verdict, and the check that it follows."""

from collections.abc import Mapping, Sequence

from pydantic import TypeAdapter, ValidationError

from kit.digests import canonical_json
from kit.errors import VerificationError
from kit.experiment.claims import MOST, ClaimSection, claim_fault, doubled_ids
from kit.names import show
from kit.result.layout import CLAIMS, RUN
from kit.result.strict_json import parse_json
from kit.result.tables import unusable
from kit.verdicts.judging import Outcome, Verdict

SCHEMA = "pebench-kit/claims/1"
NAMED = 5


def claims_of(run: Mapping[str, object]) -> tuple[ClaimSection, ...]:
    """Return the claims of the manifest in a run.json; a result from before claims has none.

    Raises:
        VerificationError: they are not what a manifest may claim.
    """
    manifest = run.get("manifest")
    listed = manifest.get("claims", []) if isinstance(manifest, dict) else None
    try:
        claims = TypeAdapter(tuple[ClaimSection, ...]).validate_python(listed)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise unusable(RUN, f"manifest.claims.{place}: {first['msg']}") from None
    faults = [f"{claim.id}: {fault}" for claim in claims if (fault := claim_fault(claim))]
    faults += [f"{name} occurs twice" for name in doubled_ids(claims)]
    faults += [f"more than {MOST}"] if len(claims) > MOST else []
    if faults:
        raise unusable(RUN, f"manifest.claims: {faults[0]}")
    return claims


def entry(verdict: Verdict) -> dict[str, object]:
    """Return one line of claims.json: values in the metric's own unit, null where there is none."""
    claim, found = verdict.claim, verdict.estimate
    return {
        "id": claim.id, "verdict": str(verdict.outcome), "reason": verdict.reason,
        "text": claim.text, "location": claim.location, "kind": claim.kind,
        "target": claim.target, "part": claim.part, "column": claim.column,
        "metric": claim.metric, "system": claim.system, "other": claim.other,
        "other_target": claim.other_target, "unit": claim.unit,
        "direction": "at least" if claim.sign > 0 else "at most",
        "threshold": claim.threshold, "margin": claim.margin,
        "value": found and found.value, "low": found and found.low, "high": found and found.high,
        "n": found.n if found else 0, "clusters": verdict.clusters,
        "units": found.clusters if found else 0, "seeds": verdict.seeds,
        "detectable": verdict.detectable, "cost": claim.cost,
    }  # fmt: skip


def to_json(verdicts: Sequence[Verdict]) -> bytes:
    """Return claims.json, equal byte for byte for equal verdicts."""
    return canonical_json({"schema": SCHEMA, "claims": [entry(v) for v in verdicts]}) + b"\n"


def count(verdicts: Sequence[Verdict]) -> str:
    """Return how many claims have which verdict, as `3 REPRODUCED, 1 SKIPPED`."""
    numbers = {o: sum(v.outcome is o for v in verdicts) for o in Outcome}
    return ", ".join(f"{number} {outcome}" for outcome, number in numbers.items() if number)


def compare_claims(stored: bytes | None, verdicts: Sequence[Verdict]) -> None:
    """Hold a stored claims.json against the verdicts that follow from the answers.

    Raises:
        VerificationError: it is missing, is no claims.json, or differs; the claims are named.
    """
    if stored == to_json(verdicts) or (stored is None and not verdicts):
        return
    if stored is None:
        missing = ", ".join(verdict.claim.id for verdict in verdicts)
        raise _differ([f"the file is missing; the manifest claims {missing}"])
    try:
        value = parse_json(stored)
    except ValueError as error:
        raise unusable(CLAIMS, error) from None
    listed = value.get("claims") if isinstance(value, dict) else None
    if not isinstance(listed, list) or not all(isinstance(line, dict) for line in listed):
        raise unusable(CLAIMS, "not a list of claims")
    held = {str(line.get("id")): line for line in listed}
    right = {verdict.claim.id: entry(verdict) for verdict in verdicts}
    raise _differ(_differences(held, right) or ["another order, or written in another way"])


def _differences(
    held: Mapping[str, Mapping[str, object]], right: Mapping[str, Mapping[str, object]]
) -> list[str]:
    found = [f"claim {name} is missing" for name in right if name not in held]
    found += [f"claim {show(name)} is none of the manifest's" for name in held if name not in right]
    for name in (name for name in right if name in held):
        for key in sorted({*held[name], *right[name]}):
            stored, computed = held[name].get(key), right[name].get(key)
            if stored != computed or isinstance(stored, bool):
                said = show(f"{key} is {stored!r}")
                found.append(f"claim {name}: {said}, recomputed {computed!r}")
    return found


def _differ(found: list[str]) -> VerificationError:
    more = [f"and {len(found) - NAMED} more"] if len(found) > NAMED else []
    return VerificationError(
        f"{CLAIMS} does not follow from the manifest and the stored answers",
        expected="the verdicts that this version of the kit computes",
        found="\n    ".join(found[:NAMED] + more),
        remedy="do not use these verdicts; ask the signer how they came to be",
    )
