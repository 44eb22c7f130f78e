"""The three signatures of a result: by one trusted key, about the same files, saying the same.

Two truths in one folder would let two readers of it believe different things: whoever checks
SHA256SUMS with ssh-keygen, or the test-result with another tool, must have checked this result.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from kit.digests import format_checksums
from kit.errors import SignatureError, VerificationError
from kit.names import show
from kit.result.json_differences import differences
from kit.result.layout import BUNDLE, CLAIMS, ENVELOPE, RUN, SSH_SIGNATURE, SUMS, TEST_RESULT
from kit.result.run_file import read_run
from kit.result.strict_json import MAX_BYTES
from kit.result.tree import read_bytes
from kit.signing.allowed_signers import REVOKED, TrustedKey
from kit.signing.claim_attestation import TEST_RESULT_TYPE, attest
from kit.signing.envelope import Envelope, open_envelope, signer_of
from kit.signing.keyless import Identity, statement_in, vouch
from kit.signing.keys import fingerprint, raw_public
from kit.signing.predicate import PREDICATE_TYPE, predicate
from kit.signing.sshsig import key_of, verify_bytes
from kit.signing.statement import Statement, read

IDENTITY = "identity"
NAMED = 5


@dataclass(frozen=True)
class Signed:
    """What was signed, and by whom; the SSH signature still has to be checked.

    `bundle` says whether an identity has signed as well, be it checked or not.
    """

    signer: TrustedKey
    statement: Statement
    twin: Statement
    ssh_signature: bytes
    bundle: bool


def read_signed(
    results: Path, trusted: tuple[TrustedKey, ...], identity: Identity | None = None
) -> Signed:
    """Read the signatures of a result; nothing in them is interpreted before its signer is known.

    Args:
        results: the folder.
        trusted: the known keys.
        identity: who must have signed, where an identity is trusted and not a key.

    Raises:
        EnvironmentFault: there is an identity to check, and no sigstore.
        SignatureError: one is missing, malformed or wrong, or not by the same trusted key.
        VerificationError: one is no plain file, or too large.
    """
    envelope = _envelope(results, ENVELOPE)
    ssh_signature = _file(results, SSH_SIGNATURE)
    bundle = _bundle(results, envelope.payload)
    if identity is not None:
        trusted = (_vouched_key(bundle, envelope.payload, ssh_signature, identity, trusted),)
    signer = signer_of(envelope, trusted)
    return Signed(
        signer,
        read(envelope.payload, PREDICATE_TYPE),
        _twin(results, signer),
        ssh_signature,
        bundle is not None,
    )


def require_agreement(signed: Signed, held: Mapping[str, bytes]) -> dict[str, object]:
    """Hold the signatures against each other and against run.json and claims.json; return run.json.

    Args:
        signed: as `read_signed` returns it.
        held: {path in the result: bytes}, already checked against the statement's digests.

    Raises:
        SignatureError: the SSH signature is not one of SHA256SUMS by the statement's signer.
        VerificationError: they list different files, or say what does not follow.
    """
    _compare_sums(held[SUMS], signed.statement.subjects)
    verify_bytes(signed.ssh_signature, held[SUMS], signed.signer.public)
    run = read_run(held[RUN])
    _compare_predicate(run, held.get(CLAIMS), signed.statement)
    _compare_twin(signed.twin, signed.statement)
    return run


def _bundle(results: Path, statement: bytes) -> bytes | None:
    """Return the keyless signature, if there is one; of another statement it is never let pass."""
    if not os.path.lexists(results / BUNDLE):
        return None
    bundle = read_bytes(results / BUNDLE, max_bytes=MAX_BYTES)
    if statement_in(bundle) != statement:
        raise SignatureError(
            f"{BUNDLE} and {ENVELOPE} hold different statements",
            expected="one statement, signed by a key and by an identity",
            remedy="get the result again; of your own run: ./run.sh sign, then sign --keyless",
        )
    return bundle


def _vouched_key(
    bundle: bytes | None,
    statement: bytes,
    ssh_signature: bytes,
    identity: Identity,
    trusted: tuple[TrustedKey, ...],
) -> TrustedKey:
    """Return the key that made the other signatures, in the name of the identity.

    The identity has signed the statement. So whatever key stands beside it can only repeat it; one
    that was revoked is refused all the same.
    """
    if bundle is None:
        raise SignatureError(
            f"no identity has signed this result: it has no {BUNDLE}",
            expected=f"a signature by {identity}",
            remedy="ask the signer for ./run.sh sign --keyless, or trust the key: --trust FILE",
        )
    said = vouch(bundle, statement, identity)
    public = key_of(ssh_signature)
    revoked = (key for key in trusted if key.role == REVOKED)
    same = (key for key in revoked if raw_public(key.public) == raw_public(public))
    return next(same, TrustedKey(public, IDENTITY, said))


def _envelope(results: Path, name: str) -> Envelope:
    return open_envelope(_file(results, name))


def _file(results: Path, name: str) -> bytes:
    if not os.path.isfile(results / name):
        raise SignatureError(
            f"{results} is not signed: it has no {name}",
            remedy="for your own run: ./run.sh sign; otherwise get the whole result",
        )
    return read_bytes(results / name, max_bytes=MAX_BYTES)


def _twin(results: Path, signer: TrustedKey) -> Statement:
    """Return the second statement, once its signer is known to be that of the first."""
    try:
        envelope = _envelope(results, TEST_RESULT)
        signer_of(envelope, (signer,))
        return read(envelope.payload, TEST_RESULT_TYPE)
    except SignatureError as error:
        raise SignatureError(
            f"{TEST_RESULT} does not stand beside {ENVELOPE}: {error.what}",
            expected=f"a statement by the same key, {fingerprint(signer.public)}",
            remedy="get the result again, or sign your own run again: ./run.sh sign",
        ) from None


def _compare_sums(sums: bytes, subjects: Mapping[str, str]) -> None:
    listed = {name: digest for name, digest in subjects.items() if name != SUMS}
    if sums != format_checksums(listed).encode():
        raise VerificationError(
            f"{SUMS} and the signed statement list different files",
            expected="one line for each signed file, in path order",
            remedy="do not use this result: a reader of each would check another list",
        )


def _compare_predicate(
    run: Mapping[str, object], claims: bytes | None, statement: Statement
) -> None:
    try:
        follows = predicate(run, claims)
    except ValueError as error:
        raise VerificationError(
            f"{RUN} or {CLAIMS} does not say what was run",
            found=error,
            remedy="finish the run, sign again",
        ) from None
    _require_equal(ENVELOPE, f"{RUN} and {CLAIMS}", statement.predicate, follows)


def _compare_twin(twin: Statement, statement: Statement) -> None:
    if twin.subjects != statement.subjects:
        raise VerificationError(
            f"{TEST_RESULT} and {ENVELOPE} list different files",
            expected="the same files with the same digests",
            remedy="do not use this result: a reader of each would check another list",
        )
    follows = attest(statement.predicate, statement.subjects)
    _require_equal(TEST_RESULT, "the claims", twin.predicate, follows)


def _require_equal(
    name: str, source: str, said: Mapping[str, object], follows: Mapping[str, object]
) -> None:
    if named := list(islice(differences(dict(said), dict(follows)), NAMED)):
        raise VerificationError(
            f"{name} says something else than {source}",
            expected="a predicate that follows from them",
            found="\n    ".join(show(line) for line in named),
            remedy="do not use this result; ask the signer how it came to be",
        )
