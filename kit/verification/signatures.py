"""Read the signatures of a result. The signer is known before any statement is parsed."""

import os
import stat
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from kit.errors import SignatureError
from kit.names import show
from kit.result.kinds import kind_of
from kit.result.layout import (
    BUNDLE,
    ENVELOPE,
    SSH_SIGNATURE,
    TEST_RESULT,
)
from kit.result.sizes import most_bytes
from kit.result.tree import read_bytes
from kit.signing.allowed_signers import REVOKED, TrustedKey
from kit.signing.claim_attestation import TEST_RESULT_TYPE
from kit.signing.envelope import Envelope, open_envelope
from kit.signing.keyless import Identity, statement_in, vouch
from kit.signing.keys import fingerprint, raw_public
from kit.signing.period import ALWAYS
from kit.signing.predicate import PREDICATE_TYPE
from kit.signing.signers import signer_of
from kit.signing.sshsig import key_of
from kit.signing.statement import Statement, read
from kit.signing.timestamp import AUTHORITIES, find_timestamp

IDENTITY, WORKFLOW = "identity", "workflow"  # roles: a person, and a job of a build service
OR_BY_IDENTITY = f"; or, if you know who made {BUNDLE}, add: --identity NAME --issuer URL"


@dataclass(frozen=True)
class Signed:
    """What was signed, and the signer. The SSH signature is not checked yet.

    `bundle` tells whether the result also has a signature by an identity, checked or not.
    """

    signer: TrustedKey
    statement: Statement
    twin: Statement
    ssh_signature: bytes
    bundle: bool

    @property
    def is_bundle_unchecked(self) -> bool:
        """Say whether there is a bundle that was not checked: anyone may have added it."""
        return self.bundle and self.signer.role not in (IDENTITY, WORKFLOW)

    def describe(self) -> str:
        """Return one line on the signer and on what else is known of the signature."""
        signer = self.signer
        period = f", {signer.period}" if str(signer.period) else ""
        parts = [f"signed by {signer.role} ({show(signer.source)}{period})"]
        if signer.remark:
            parts.append(signer.remark)
        if self.is_bundle_unchecked:
            parts.append(f"{BUNDLE} was NOT checked (--identity, --issuer)")
        return "; ".join(parts)


def read_signed(
    results: Path,
    trusted: tuple[TrustedKey, ...],
    identity: Identity | None = None,
    *,
    authorities: Path = AUTHORITIES,
    now: datetime | None = None,
) -> Signed:
    """Read the signatures of a result. Their content is parsed only after the signer is known.

    Args:
        results: the folder.
        trusted: the known keys.
        identity: who must have signed, if an identity is trusted instead of a key.
        authorities: the certificates of the timestamp authorities that are trusted.
        now: the present; None for this machine's clock.

    Raises:
        EnvironmentFault: this environment lacks sigstore, which an identity needs, or
            rfc3161-client, which a timestamp needs.
        SignatureError: a signature is missing, malformed or wrong, they are not by one trusted
            key, or there is a timestamp that proves nothing.
        VerificationError: one of the files is not a plain file, or is too large.
    """
    data = _file(results, ENVELOPE)
    envelope = open_envelope(data)
    ssh_signature = _file(results, SSH_SIGNATURE)
    bundle = _bundle(results, envelope.payload)
    timestamp = find_timestamp(results, data, authorities)
    if identity is not None:
        trusted = _vouched_keys(bundle, envelope.payload, ssh_signature, identity, trusted)
    signer = signer_of(
        envelope,
        trusted,
        timestamp=timestamp,
        now=now,
        alternative=OR_BY_IDENTITY if bundle and identity is None else "",
    )
    return Signed(
        signer,
        read(envelope.payload, PREDICATE_TYPE),
        _twin(results, signer),
        ssh_signature,
        bundle is not None,
    )


def _bundle(results: Path, statement: bytes) -> bytes | None:
    """Return the keyless signature, if there is one. It must be over the key's statement."""
    if not os.path.lexists(results / BUNDLE):
        return None
    bundle = _file(results, BUNDLE)
    if statement_in(bundle) != statement:
        raise SignatureError(
            f"{BUNDLE} and {ENVELOPE} contain different statements",
            expected="one statement, signed by a key and by an identity",
            found="two that differ",
            remedy="get the result again; for your own run: ./run.sh sign, then sign --keyless",
        )
    return bundle


def _vouched_keys(
    bundle: bytes | None,
    statement: bytes,
    ssh_signature: bytes,
    identity: Identity,
    trusted: tuple[TrustedKey, ...],
) -> tuple[TrustedKey, ...]:
    """Return the key that made the other signatures: as the identity's, and as lists have it.

    The identity has signed the statement, so any key beside it can only repeat it; it may be
    unknown or expired. A revoked key is refused all the same.
    """
    if bundle is None:
        raise SignatureError(
            f"no identity has signed this result: it has no {BUNDLE}",
            expected=f"a signature by {identity}",
            found="the signatures of a key alone",
            remedy="ask the signer for ./run.sh sign --keyless, or trust the key: --trust FILE",
        )
    signed = vouch(bundle, statement, identity)
    public = key_of(ssh_signature)
    same = [key for key in trusted if raw_public(key.public) == raw_public(public)]
    if any(key.role == REVOKED for key in same):
        return tuple(same)
    role = WORKFLOW if signed.commit else IDENTITY
    return (TrustedKey(public, role, signed.said, commit=signed.commit), *same)


def _envelope(results: Path, name: str) -> Envelope:
    return open_envelope(_file(results, name))


def _file(results: Path, name: str) -> bytes:
    if not os.path.lexists(results / name):
        raise SignatureError(
            f"{results} is not signed: it has no {name}",
            expected="a signed result",
            found="a folder without it" if results.is_dir() else "no such folder",
            remedy="for your own run: ./run.sh sign; otherwise get the whole result",
        )
    if not stat.S_ISREG(mode := os.lstat(results / name).st_mode):
        raise SignatureError(
            f"{name} of {results} is no regular file, but a link, folder, device, pipe or socket",
            expected="a regular file",
            found=kind_of(mode),
            remedy="get the result again",
        )
    return read_bytes(results / name, max_bytes=most_bytes(name))


def _twin(results: Path, signer: TrustedKey) -> Statement:
    """Return the second statement, after checking that the signer of the first signed it."""
    try:
        envelope = _envelope(results, TEST_RESULT)
        # The first statement decides everything in this one, so it needs no proof of time.
        signer_of(envelope, (replace(signer, period=ALWAYS),))
        return read(envelope.payload, TEST_RESULT_TYPE)
    except SignatureError as error:
        raise SignatureError(
            f"{TEST_RESULT} does not belong to {ENVELOPE}: {error.what}",
            expected=f"a statement by the same key, {fingerprint(signer.public)}",
            found=error.found,
            remedy="get the result again, or sign your own run again: ./run.sh sign",
        ) from None
