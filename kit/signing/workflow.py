"""A build service as the signer: its workflow, the commit that it ran at, and the run.

The token of a job states them, and Sigstore's authority copies them into the certificate. There the
identity is the address of the workflow's file; in the token it is spread over other claims.
Source: sigstore/fulcio, docs/oid-info.md (numbers of the extensions, and the claims behind them).
"""

import base64
import json
from dataclasses import dataclass

from cryptography import x509

from kit.names import show

GITHUB, GITLAB = "https://token.actions.githubusercontent.com", "https://gitlab.com"
# {issuer of a token: (what the address of the workflow begins with, claim that has the rest)}
ADDRESSES = {
    GITHUB: ("https://github.com/", "job_workflow_ref"),
    GITLAB: ("https://", "ci_config_ref_uri"),
}
EXTENSIONS = "1.3.6.1.4.1.57264.1"
FILE_COMMIT, RUNNER, COMMIT, RUN = 10, 11, 13, 21
UTF8_STRING = (
    0x0C  # of DER; a length below 128 is one byte, else a byte tells how many bytes it has
)


@dataclass(frozen=True)
class Workflow:
    """What a certificate states of a job.

    `commit` is the one of the repository that it ran at, `file_commit` that of the workflow's file,
    `run` the address of the run, `runner` who hosts the machine, such as `github-hosted`.
    """

    commit: str
    file_commit: str
    run: str
    runner: str

    def __str__(self) -> str:
        other = (
            f", its file of commit {self.file_commit}" if self.file_commit != self.commit else ""
        )
        return show(
            f"made by this workflow at commit {self.commit}{other}, in the run {self.run}, "
            f"on a {self.runner} runner"
        )


def workflow_of(certificate: x509.Certificate) -> Workflow | None:
    """Return what a certificate states of a job; None for one of a person."""
    stated = {each.oid.dotted_string: each.value for each in certificate.extensions}
    found = {
        number: _text(value.value)
        for number in (COMMIT, FILE_COMMIT, RUN, RUNNER)
        if isinstance(value := stated.get(f"{EXTENSIONS}.{number}"), x509.UnrecognizedExtension)
    }
    if not found.get(COMMIT):
        return None
    commit = found[COMMIT]
    return Workflow(
        commit,
        found.get(FILE_COMMIT) or commit,
        found.get(RUN) or "(not stated)",
        found.get(RUNNER) or "(not stated)",
    )


def certified_name(token: str) -> str | None:
    """Return the identity that a certificate will have for a job's token; None for a person's.

    `token` is one that Sigstore's client has read.
    """
    part = token.split(".")[1] if token.count(".") == 2 else ""
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    begin, claim = ADDRESSES.get(str(claims.get("iss")), ("", ""))
    return f"{begin}{claims[claim]}" if claim in claims else None


def _text(der: bytes) -> str:
    """Return the text of a DER-encoded UTF8String; "" for anything else."""
    if len(der) < 2 or der[0] != UTF8_STRING:
        return ""
    more = der[1] & 0x7F if der[1] & 0x80 else 0
    text = der[2 + more :]
    length = int.from_bytes(der[2 : 2 + more]) if more else der[1]
    return text.decode("utf-8", "replace") if len(text) == length else ""
