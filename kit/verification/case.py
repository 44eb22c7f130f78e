"""A result under verification, and what the checks find."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kit.digests import sha256_bytes
from kit.errors import VerificationError
from kit.experiment.claims import ClaimSection
from kit.result.sizes import most_bytes
from kit.result.tree import read_bytes
from kit.signing.allowed_signers import TrustedKey
from kit.signing.keyless import Identity
from kit.signing.timestamp import AUTHORITIES
from kit.verification.signatures import Signed

if TYPE_CHECKING:
    from kit.metrics.record_sets import Measured
    from kit.report.contents import Contents
    from kit.result.stored import StoredResult
    from kit.verification.planned import Planned
    from kit.verification.recompute import Recomputed
    from kit.verification.run_facts import RunFacts

Policy = Literal["strict", "integrity"]
OK, NOT_CHECKED = "ok", "not checked"


@dataclass(frozen=True)
class Finding:
    """What one check found: `outcome` is "ok" or "not checked", `message` one line for people."""

    check: str
    message: str
    outcome: str = OK


@dataclass(frozen=True)
class Kept:
    """What code needs of a verified result to work with it.

    `recomputed` holds the values, rows and verdicts that follow from the answers; None where
    nothing was recomputed. `digests` is {path in the result: SHA-256} of all signed files.
    """

    stored: "StoredResult"
    recomputed: "Recomputed | None"
    digests: Mapping[str, str]

    @property
    def measured(self) -> "Measured | None":
        """Return the values of all answers; None where nothing was recomputed."""
        return None if self.recomputed is None else self.recomputed.measured


class Case:
    """A result under verification: what was asked, and what the checks before have established."""

    signed: Signed
    held: dict[str, bytes]  # bytes that were compared with their signed digests
    stored: "StoredResult"
    found: "Recomputed"
    planned: "Planned"
    facts: "RunFacts"
    contents: "Contents"

    def __init__(
        self,
        results: Path,
        trusted: Iterable[TrustedKey],
        identity: Identity | None = None,
        authorities: Path = AUTHORITIES,
        now: datetime | None = None,
        *,
        keep: bool = False,
    ) -> None:
        self.results, self.trusted, self.identity = results, tuple(trusted), identity
        self.authorities, self.now, self.keep = authorities, now, keep

    def read(self, name: str) -> bytes:
        """Read a signed file again, and use exactly the bytes that were signed."""
        subjects = self.signed.statement.subjects
        if name not in subjects:
            raise VerificationError(
                f"the signed result has no {name}, so that its numbers cannot be recomputed",
                expected="a finished result",
                found=f"{len(subjects)} signed files without it",
                remedy="finish the run, then ./run.sh sign",
            )
        data = read_bytes(self.results / name, max_bytes=most_bytes(name))
        if sha256_bytes(data) != subjects[name]:
            raise VerificationError(
                f"{name} changed while it was verified",
                expected="the bytes that were signed",
                found="other bytes",
                remedy="stop what writes to it; verify again",
            )
        return data


@dataclass(frozen=True)
class Verification:
    """What was found to hold: the signer, the manifest in run.json, and how much was checked."""

    role: str
    source: str
    fingerprint: str
    policy: Policy
    manifest_digest: str
    manifest: Mapping[str, object] = field(compare=False, repr=False)
    files: int
    rows: int
    systems: tuple[str, ...]
    claims: tuple[ClaimSection, ...]
    findings: tuple[Finding, ...]
    folder: str = field(default="", compare=False)
    contents: "Contents | None" = field(default=None, compare=False, repr=False)
    kept: Kept | None = field(default=None, compare=False, repr=False)

    @property
    def run_name(self) -> str:
        """Return the name that the manifest gives its results: `smoke-0123abcd`."""
        return f"{self.manifest.get('name')}-{self.manifest_digest[:8]}"

    @property
    def messages(self) -> tuple[str, ...]:
        """Return the lines of all checks."""
        return tuple(found.message for found in self.findings)
