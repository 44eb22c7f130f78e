"""What `verify` checks, in order: signature, files, and that everything in a result follows.

`CHECKS` is the whole list. Nothing in a result is interpreted before a trusted key has signed for
its bytes. No check needs a network, a model or torch.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from kit.result.layout import (
    CLAIMS,
    ENVELOPE,
    INPUTS,
    REPORT,
    RUN,
    SSH_SIGNATURE,
    SUMS,
    TEST_RESULT,
)
from kit.result.run_file import claims_of, read_run
from kit.result.sizes import require_small_report
from kit.result.stored import parse_result
from kit.result.tree import compare_tree, walk
from kit.signing.allowed_signers import TrustedKey
from kit.signing.keyless import Identity
from kit.signing.keys import fingerprint
from kit.signing.timestamp import AUTHORITIES
from kit.verdicts.claims_file import count
from kit.verification import numbers, pages, recompute
from kit.verification.case import NOT_CHECKED, Case, Finding, Policy, Verification
from kit.verification.metadata import metadata_files, require_metadata
from kit.verification.planned import require_as_planned
from kit.verification.signatures import read_signed
from kit.verification.statements import require_agreement

Found = Iterable[str | Finding]  # a message of what holds, or a finding that says more


def _signature(case: Case) -> Found:
    case.signed = read_signed(
        case.results, case.trusted, case.identity, authorities=case.authorities, now=case.now
    )
    yield case.signed.describe()


def _files(case: Case) -> Found:
    subjects = case.signed.statement.subjects
    compare_tree(walk(case.results), subjects)
    yield f"{len(subjects)} files are exactly those that were signed"


def _statements(case: Case) -> Found:
    subjects = case.signed.statement.subjects
    report = [name for name in subjects if name.startswith(REPORT)]
    claims = [CLAIMS] if CLAIMS in subjects else []
    require_small_report((case.results / name).stat().st_size for name in report)
    case.held = {name: case.read(name) for name in (SUMS, *INPUTS, *claims, *report)}
    require_agreement(case.signed, case.held)
    yield f"{ENVELOPE}, {TEST_RESULT} and {SSH_SIGNATURE} are by one key and agree"


def _rows(case: Case) -> Found:
    case.stored = parse_result(case.held)
    case.held = {}  # one form of a result in memory at a time
    case.found = recompute.rescore(case.stored)
    recompute.require_rows(case.found)
    rows = recompute.count_checked_rows(case.found)
    yield f"{rows} rows recomputed from the stored answers are equal to the stored ones"
    for line in recompute.unchecked_numbers(case.found):
        yield Finding("rows", line, NOT_CHECKED)


def _claims(case: Case) -> Found:
    recompute.require_verdicts(case.found)
    verdicts = [v for v in case.found.verdicts if v.claim.metric not in case.found.retired]
    yield (
        f"{len(verdicts)} claims follow from them: {count(verdicts)}"
        if verdicts
        else "the manifest claims nothing"
    )


def _plan(case: Case) -> Found:
    case.planned = require_as_planned(case.stored, case.signed.statement.subjects)
    systems = len(case.stored.systems)
    yield f"{systems} systems were evaluated, all that the manifest names"


def _numbers(case: Case) -> Found:
    case.contents = pages.contents_of(case.found)
    files = numbers.require_numbers(case.contents, case.stored.report, case.found.retired)
    # Answers and values take more memory than all that is still needed.
    del case.found
    case.stored = replace(case.stored, tables={})
    yield f"the numbers in report.json and {files - 1} CSV files are what follows from them"


def _pages(case: Case) -> Found:
    if not pages.is_rendered_here(case.stored.kit):
        yield Finding("pages", pages.not_remade(case.stored.kit), NOT_CHECKED)
        return
    pages.require_pages(case.contents, case.stored.report)
    yield f"the {len(case.stored.report)} files of the report are what follows from them"


def _metadata(case: Case) -> Found:
    subjects = case.signed.statement.subjects
    held = {name: case.read(name) for name in metadata_files(subjects)}
    whole = pages.is_rendered_here(case.stored.kit)
    require_metadata(case.stored.run, case.planned, held, subjects, whole=whole)
    said = "say what run.json and these say" if whole else "agree with run.json and signed digests"
    yield f"RO-Crate, SBOM and model cards, {len(held)} files, {said}"


@dataclass(frozen=True)
class Check:
    """One check of `verify`: what it proves if it passes, and what it leaves open."""

    name: str
    function: Callable[[Case], Found]
    proves: str
    does_not_prove: str


CHECKS = (
    Check(
        "signature", _signature,
        "A key or identity that you trust has signed the statement about this result.",
        "Who holds the key, or that it was not stolen.",
    ),
    Check(
        "files", _files,
        "The folder holds exactly the signed files: none is changed, missing, renamed or added.",
        "That the files say something true.",
    ),
    Check(
        "statements", _statements,
        "The three signatures are by one key and list the same files; what they say is what "
        "run.json and claims.json say.",
        "When the result was signed.",
    ),
    Check(
        "rows", _rows,
        "Every row of rows.parquet follows from the stored answers, by the version of the metric "
        "that the row names.",
        "That the answers came from running the kit, or that questions and right answers are the "
        "benchmark's.",
    ),
    Check(
        "claims", _claims,
        "Every verdict follows from the answers, by the version of the rule that claims.json "
        "names.",
        "That the claims are those you have in mind: --claims MANIFEST compares them.",
    ),
    Check(
        "plan", _plan,
        "Systems, sources, jobs and files are those that the manifest in run.json implies; nothing "
        "it names was left out.",
        "That no other run was made and left out, or that the adapters were trained as stated.",
    ),
    Check(
        "numbers", _numbers,
        "Every number in report.json and in the CSV files follows from the answers and run.json.",
        "The wording of sentences there.",
    ),
    Check(
        "pages", _pages,
        "HTML, Markdown and figure of the report are, byte for byte, what this kit renders from "
        "the verified numbers.",
        "Anything about pages that another renderer made: they are not compared, and the output "
        "says so.",
    ),
    Check(
        "metadata", _metadata,
        "Each model card says what run.json says of its job, the SBOM lists its packages, and the "
        "RO-Crate gives each file its signed digest. Where this kit rendered the result, they are "
        "compared byte for byte.",
        "Licences and hashes of packages in the SBOM, or the weights of the adapters.",
    ),
)  # fmt: skip
# The policy `integrity` runs these first checks alone: for numbers that no kit can recompute.
INTEGRITY = 3
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
) -> Verification:
    """Run the checks in their order; the first that fails ends the verification.

    Args:
        results: the folder of the result.
        trusted: the keys whose signature counts.
        policy: `integrity` recomputes nothing, and says so: whoever signed may then have written
            any number.
        identity: who must have signed; then no key has to be known.
        authorities: the certificates of the timestamp authorities that are trusted.
        now: the present, which the periods of keys are compared with; None for this machine's
            clock.
        findings: a list that gets each finding as it is made, also where a later check fails.

    Raises:
        EnvironmentFault: there is an identity or a timestamp to check, and no library for it.
        SignatureError: there is no signature, none by a trusted key, or its statement is not one.
        VerificationError: files or numbers are not what was signed; all differing files are named.
    """
    case = Case(results, trusted, identity, authorities, now)
    made = [] if findings is None else findings
    for check in CHECKS if policy == "strict" else CHECKS[:INTEGRITY]:
        for said in check.function(case):
            made.append(Finding(check.name, said) if isinstance(said, str) else said)
    strict = policy == "strict"
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
        files=len(case.signed.statement.subjects),
        rows=case.stored.rows.num_rows if strict else 0,
        systems=tuple(sorted(s["name"] for s in case.stored.systems)) if strict else (),
        claims=case.stored.claims if strict else claims_of(run),
        findings=tuple(made),
        contents=case.contents if strict else None,
    )


def table() -> list[tuple[str, str, str]]:
    """Return the checks as rows of a table: name, what it proves, what it does not prove."""
    return [(check.name, check.proves, check.does_not_prove) for check in CHECKS]
