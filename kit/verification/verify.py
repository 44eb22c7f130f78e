"""Verify a result: who signed it, that it is unchanged, and that its numbers follow from it.

Without network, models or torch. The order matters: nothing in the folder is interpreted before a
trusted key has signed for its bytes.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from kit.digests import sha256_bytes
from kit.errors import KitError, VerificationError
from kit.experiment.claims import ClaimSection
from kit.names import show
from kit.result.layout import (
    BUNDLE,
    CLAIMS,
    ENVELOPE,
    INPUTS,
    REPORT,
    SETS,
    SSH_SIGNATURE,
    SUMS,
    TEST_RESULT,
)
from kit.result.sizes import most_bytes, require_small_report
from kit.result.tree import compare_tree, read_bytes, walk
from kit.signing.allowed_signers import TrustedKey
from kit.signing.keyless import Identity
from kit.signing.keys import fingerprint
from kit.signing.statement import Statement
from kit.verdicts.claims_file import claims_of, count
from kit.verification.metadata import compare_metadata, metadata_files
from kit.verification.planned import require_as_planned, require_two_sides
from kit.verification.recompute import recompute
from kit.verification.statements import IDENTITY, Signed, read_signed, require_agreement

Policy = Literal["strict", "integrity"]
NOT_RECOMPUTED = "numbers and verdicts were NOT recomputed (policy integrity)"
NOT_PROVEN = """\
What this does not prove: that the answers came from running the kit on the stated data and
models (a run on one's own machine vouches for itself), that questions and right answers are the
benchmark's, when it was signed, who holds the key or that it was not stolen, or that no other run
was made and left out."""
NOT_PROVEN_OF_AN_IDENTITY = """\
What this does not prove: that the answers came from running the kit on the stated data and
models (a run on one's own machine vouches for itself), that questions and right answers are the
benchmark's, that nobody else could act as this identity, who holds the key beside it, or that no
other run was made and left out."""


@dataclass(frozen=True)
class Verification:
    """What was found to hold: the signer, the manifest, and how much was checked."""

    role: str
    source: str
    fingerprint: str
    policy: Policy
    manifest_digest: str
    files: int
    rows: int
    systems: tuple[str, ...]
    claims: tuple[ClaimSection, ...]
    messages: tuple[str, ...]


def verify(
    results: Path,
    *,
    trusted: Iterable[TrustedKey],
    policy: Policy = "strict",
    identity: Identity | None = None,
) -> Verification:
    """Check signature, statement and every file; with `strict`, that all else follows as well.

    Numbers and pages follow from the answers, and systems, sources, jobs and files from the
    manifest.

    `integrity` recomputes nothing, and says so: for a result whose metrics this version of the kit
    no longer computes. Whoever signed may then have written any number. With `identity` it must
    have signed, and no key has to be known.

    Raises:
        EnvironmentFault: there is an identity to check, and no sigstore.
        SignatureError: there is no signature, none by a trusted key, or its statement is not one.
        VerificationError: files or numbers are not what was signed; all differing files are named.
    """
    signed = read_signed(results, tuple(trusted), identity)
    signer, statement = signed.signer, signed.statement
    compare_tree(walk(results), statement.subjects)
    pages = [name for name in statement.subjects if name.startswith(REPORT)]
    claims = [CLAIMS] if CLAIMS in statement.subjects else []
    require_small_report((results / name).stat().st_size for name in pages)
    held = {name: _held(results, name, statement) for name in (SUMS, *INPUTS, *claims, *pages)}
    run = require_agreement(signed, held)
    found = _recomputed(held, statement.subjects) if policy == "strict" else None
    del held  # one part of a result in memory at a time
    described = _described(results, statement, run) if found else NOT_RECOMPUTED
    return Verification(
        role=signer.role,
        source=signer.source,
        fingerprint=fingerprint(signer.public),
        policy=policy,
        manifest_digest=str(run["manifest_digest"]),
        files=len(statement.subjects),
        rows=found.rows if found else 0,
        systems=found.systems if found else (),
        claims=claims_of(run),
        messages=(
            _who(signed),
            f"{len(statement.subjects)} files are exactly those that were signed",
            f"{ENVELOPE}, {TEST_RESULT} and {SSH_SIGNATURE} are by one key and agree",
            *(found.messages if found else ()),
            described,
        ),
    )


def _who(signed: Signed) -> str:
    signer = signed.signer
    period = f", {signer.period}" if signer.period else ""
    said = f"signed by {signer.role} ({show(signer.source)}{period})"
    if signed.bundle and signer.role != IDENTITY:
        return f"{said}; {BUNDLE} was NOT checked (--identity, --issuer)"
    return said


@dataclass(frozen=True)
class _Followed:
    """What was recomputed from the answers and found equal; without the tables, to free them."""

    rows: int
    systems: tuple[str, ...]
    messages: tuple[str, ...]


def _recomputed(held: Mapping[str, bytes], subjects: Mapping[str, str]) -> _Followed:
    found = recompute(held)
    require_two_sides(found.tables[SETS])
    require_as_planned(found.run, subjects)
    rows, verdicts = found.rows, found.verdicts
    pages = sum(name.startswith(REPORT) for name in held)
    messages = (
        f"{len(rows)} rows recomputed from the stored answers are equal to the stored ones",
        f"{len(verdicts)} claims follow from them: {count(verdicts)}"
        if verdicts
        else "the manifest claims nothing",
        f"the {pages} files of the report are what follows from them",
    )
    return _Followed(len(rows), tuple(sorted(set(rows["system"]))), messages)


def _described(results: Path, statement: Statement, run: Mapping[str, object]) -> str:
    names = metadata_files(statement.subjects)
    held = {name: _held(results, name, statement) for name in names}
    compare_metadata(run, held, statement.subjects)
    return f"RO-Crate, SBOM and model cards, {len(names)} files, say what run.json and these say"


def describe(verification: Verification) -> str:
    """Return a short text for people; it ends with what a signature does not prove."""
    lines = [f"ok  {message}" for message in verification.messages]
    if verification.systems:
        lines.append(
            f"    {len(verification.systems)} systems were evaluated, all that the manifest names"
        )
    lines.append(f"    key: sha256 {verification.fingerprint}")
    return "\n".join([*lines, _not_proven(verification)])


def _not_proven(verification: Verification) -> str:
    return NOT_PROVEN_OF_AN_IDENTITY if verification.role == IDENTITY else NOT_PROVEN


def accepted_json(verification: Verification) -> str:
    """Return what was found to hold, for programs."""
    claims = [claim.id for claim in verification.claims]
    said = {"verified": True, **asdict(verification), "claims": claims}
    said["not_proven"] = _not_proven(verification)
    return json.dumps(said, indent=2)


def refused_json(error: KitError) -> str:
    """Return why a result is refused, for programs; `code` is the exit code."""
    parts = {name: getattr(error, name) for name in ("what", "expected", "found", "remedy")}
    said = {name: None if value is None else str(value) for name, value in parts.items()}
    return json.dumps({"verified": False, "code": error.exit_code, **said}, indent=2)


def _held(results: Path, name: str, statement: Statement) -> bytes:
    """Read a signed file once more, and use exactly the bytes that were checked."""
    if name not in statement.subjects:
        raise VerificationError(
            f"the signed result has no {name}, so that its numbers cannot be recomputed",
            remedy="finish the run, then ./run.sh sign",
        )
    data = read_bytes(results / name, max_bytes=most_bytes(name))
    if sha256_bytes(data) != statement.subjects[name]:
        raise VerificationError(
            f"{name} changed while it was verified", remedy="stop what writes to it; verify again"
        )
    return data
