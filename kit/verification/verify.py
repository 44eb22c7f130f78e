"""Verify a result: signature, files, and that everything in it follows.

`kit.verification.checks.CHECKS` is the list of what is checked.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from kit.result.layout import RUN
from kit.result.run_file import claims_of, manifest_of, read_run
from kit.signing.allowed_signers import TrustedKey
from kit.signing.keyless import Identity
from kit.signing.keys import fingerprint
from kit.signing.timestamp import AUTHORITIES
from kit.verification.case import NOT_CHECKED, Case, Finding, Kept, Policy, Verification
from kit.verification.checks import CHECKS
from kit.verification.integrity import INTEGRITY, Found

NOT_RECOMPUTED = "numbers and verdicts were NOT recomputed (policy integrity)"


def verify(
    results: Path,
    *,
    trusted: Iterable[TrustedKey],
    policy: Policy = "strict",
    identity: Identity | None = None,
    authorities: Path = AUTHORITIES,
    now: datetime | None = None,
    findings: list[Finding] | None = None,
    keep: bool = False,
) -> Verification:
    """Run the checks in their order; the first that fails ends the verification.

    Args:
        results: the folder of the result.
        trusted: the keys whose signature counts.
        policy: `integrity` runs the first checks alone, for numbers that no kit can recompute. It
            says so: whoever signed may then have written any number.
        identity: who must have signed; then no key has to be known.
        authorities: the certificates of the timestamp authorities that are trusted.
        now: the present, which the periods of keys are compared with; None for this machine's
            clock.
        findings: a list that gets each finding as it is made, also where a later check fails.
        keep: whether tables and values stay in memory for the caller (`kept`).

    Raises:
        EnvironmentFault: there is an identity or a timestamp to check, and no library for it.
        SignatureError: there is no signature, none by a trusted key, or its statement is not one.
        VerificationError: files or numbers are not what was signed; all differing files are named.
    """
    case = Case(results, trusted, identity, authorities, now, keep=keep)
    made = [] if findings is None else findings
    strict = policy == "strict"
    for name, function in (_all_checks() if strict else INTEGRITY).items():
        for said in function(case):
            made.append(Finding(name, said) if isinstance(said, str) else said)
    if not strict:
        made.append(Finding("rows", NOT_RECOMPUTED, NOT_CHECKED))
    run = case.stored.run if strict else read_run(case.held[RUN])
    signer = case.signed.signer
    return Verification(
        role=signer.role,
        source=signer.source,
        fingerprint=fingerprint(signer.public),
        policy=policy,
        manifest_digest=str(run["manifest_digest"]),
        manifest=manifest_of(run),
        files=len(case.signed.statement.subjects),
        rows=case.stored.rows.num_rows if strict else 0,
        systems=tuple(sorted(s["name"] for s in case.stored.systems)) if strict else (),
        claims=case.stored.claims if strict else claims_of(run),
        findings=tuple(made),
        folder=case.results.resolve().name,
        contents=case.contents if strict else None,
        kept=_kept(case, strict=strict) if keep else None,
    )


def _all_checks() -> dict[str, Callable[[Case], Found]]:
    from kit.verification.findings import FUNCTIONS  # needs pandas; the policy integrity does not

    return FUNCTIONS


def _kept(case: Case, *, strict: bool) -> Kept:
    from kit.result.stored import parse_result

    stored = case.stored if strict else parse_result(case.held)
    return Kept(stored, case.found if strict else None, case.signed.statement.subjects)


def table() -> list[tuple[str, str, str]]:
    """Return the checks as rows of a table: name, what it proves, what it does not prove."""
    return [(check.name, check.proves, check.does_not_prove) for check in CHECKS]
