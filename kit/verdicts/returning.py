"""What does not count under an attack: what was never forgotten, and a rise to Retain-only's level.

Part of version 3 of the rule of verdicts: a change here needs another version of that rule.
"""

from dataclasses import replace

from kit.experiment.attack import Condition
from kit.experiment.claims import ClaimSection
from kit.metrics.eligibility import KNOWN_SHARE
from kit.metrics.recovery import Recovery, kept_share, names_of, recovery
from kit.metrics.rows import Measured
from kit.verdicts.evidence import Evidence


def never_forgotten(claim: ClaimSection, measured: Measured) -> str:
    """Return why nothing can come back for the system of a claim, or "" if something can.

    A system that still knows half of what Vanilla knows, without any attack, has not forgotten.
    """
    kept = kept_share(measured, claim.system, claim.target, claim.part, _condition(claim))
    if kept is None or kept < KNOWN_SHARE:
        return ""
    return (
        f"it was never forgotten: without the attack, {100 * kept:.0f} % is known of what Vanilla "
        "knows beyond Retain-only"
    )


def beyond_retain_only(
    claim: ClaimSection, evidence: Evidence | str, measured: Measured
) -> Evidence | None:
    """Return how much better a system knows each record under attack than Retain-only does.

    Only where it knows less than Retain-only without the attack, because it refuses or guesses
    worse; None elsewhere.
    """
    names = names_of(measured, claim.system, claim.target)
    found = recovery(measured, names, claim.target, claim.part, _condition(claim))
    if isinstance(evidence, str) or not isinstance(found, Recovery):
        return None
    if found.before >= found.control_before:
        return None
    return replace(evidence, values=found.apart)


def _condition(claim: ClaimSection) -> Condition:
    assert claim.attack is not None, "a claim of this kind names its attack"
    assert claim.level is not None, "and the attack's level"
    return Condition(claim.attack, claim.level)
