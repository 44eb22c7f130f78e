"""What `verify` says of a result, for people and for programs."""

import json
import re
from collections.abc import Sequence

from kit.errors import KitError
from kit.names import show
from kit.verification.case import NOT_CHECKED, OK, Finding, Verification
from kit.verification.checks import CHECKS
from kit.verification.signatures import IDENTITY, WORKFLOW

REFUSED, NOT_RUN = "refused", "not run"
_MARKS = {OK: "ok  ", NOT_CHECKED: "--  "}
NOT_PROVEN = """\
What this does not prove: that the answers came from running the kit on the stated data and models
(only the signer vouches for that), that the adapters were trained as stated or gave these answers,
that questions, right answers and the choice of records are the benchmark's, when the result was
signed, who holds the key or that it was not stolen, or that no other run was left out."""
NOT_PROVEN_OF_AN_IDENTITY = """\
What this does not prove: that the answers came from running the kit on the stated data and models
(only the signer vouches for that), that the adapters were trained as stated or gave these answers,
that questions, right answers and the choice of records are the benchmark's, that only this person
can act as this identity, who holds the key that also signed, or that no other run was left out."""

NOT_PROVEN_OF_A_WORKFLOW = """\
What this does not prove: that the workflow runs the kit and nothing else (read its file at that
commit, and compare the commit with the kit's), that the build service and Sigstore did what they
certify, that questions, right answers and the choice of records are the benchmark's, that no other
run was left out, or who holds the key that also signed."""
_NOT_PROVEN_OF = {IDENTITY: NOT_PROVEN_OF_AN_IDENTITY, WORKFLOW: NOT_PROVEN_OF_A_WORKFLOW}


def describe(verification: Verification) -> str:
    """Return a short text for people; it ends with what a signature does not prove."""
    lines = [f"{_MARKS[found.outcome]}{found.message}" for found in verification.findings]
    lines.append(f"    key: sha256 {verification.fingerprint}")
    lines.append(
        f"    manifest: {show(verification.run_name)}, sha256 {verification.manifest_digest}"
    )
    if _has_digits_of_data(verification):
        lines.append(
            f"    folder: {show(verification.folder)}: its digits are of this manifest and of the "
            "checksum lists of data from outside of the kit"
        )
    return "\n".join([*lines, not_proven(verification)])


def _has_digits_of_data(verification: Verification) -> bool:
    """Say whether a folder has a name as `Manifest.run_name` makes it of data from outside.

    A folder of any other name was renamed, and there is nothing to explain.
    """
    name = re.escape(str(verification.manifest.get("name")))
    made = re.fullmatch(rf"{name}-[0-9a-f]{{8}}", verification.folder)
    return made is not None and verification.folder != verification.run_name


def not_proven(verification: Verification) -> str:
    """Return what a verified result does not prove."""
    return _NOT_PROVEN_OF.get(verification.role, NOT_PROVEN)


def accepted_json(verification: Verification) -> str:
    """Return what was found to hold, for programs: each check with its outcome."""
    parts = ("role", "source", "fingerprint", "policy", "manifest_digest", "files", "rows")
    return json.dumps(
        {
            "verified": True,
            **{name: getattr(verification, name) for name in parts},
            "systems": verification.systems,
            "run_name": verification.run_name,
            "claims": [claim.id for claim in verification.claims],
            "messages": verification.messages,
            "checks": _checks(verification.findings, NOT_RUN),
            "not_proven": not_proven(verification),
        },
        indent=2,
    )


def refused_json(error: KitError, findings: Sequence[Finding] = ()) -> str:
    """Return why a result is refused, for programs; `code` is the exit code.

    Args:
        error: what refused it.
        findings: of the checks that were run before.
    """
    parts = {name: getattr(error, name) for name in ("what", "expected", "found", "remedy")}
    said = {name: None if value is None else str(value) for name, value in parts.items()}
    checks = _checks(findings, REFUSED)
    return json.dumps(
        {"verified": False, "code": error.exit_code, "id": error.id, **said, "checks": checks},
        indent=2,
    )


def _checks(findings: Sequence[Finding], first_missing: str) -> list[dict[str, object]]:
    """Return each check with its name, outcome, messages, and what it proves and does not.

    Args:
        findings: of the checks that were run.
        first_missing: the outcome of the first check without a finding; those after it did not run.
    """
    listed: list[dict[str, object]] = []
    missing = first_missing
    for check in CHECKS:
        mine = [found for found in findings if found.check == check.name]
        outcomes = {found.outcome for found in mine}
        outcome = NOT_CHECKED if NOT_CHECKED in outcomes else OK
        if not mine:
            outcome, missing = missing, NOT_RUN
        listed.append(
            {
                "name": check.name,
                "outcome": outcome,
                "messages": [found.message for found in mine],
                "proves": check.proves,
                "does_not_prove": check.does_not_prove,
            }
        )
    return listed
