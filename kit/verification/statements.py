"""The three signatures of a result: by one trusted key, about the same files, with one content.

If they could differ, two readers of one folder could believe different things. Whoever checks
SHA256SUMS with ssh-keygen, or the test-result with another tool, must have checked this result.
"""

from collections.abc import Mapping

from kit.digests import format_checksums
from kit.errors import VerificationError
from kit.names import listed, show
from kit.result.json_differences import differences
from kit.result.layout import (
    CLAIMS,
    ENVELOPE,
    RUN,
    SUMS,
    TEST_RESULT,
)
from kit.result.run_file import read_run
from kit.signing.claim_attestation import attest
from kit.signing.predicate import predicate
from kit.signing.sshsig import verify_bytes
from kit.signing.statement import Statement
from kit.verification.signatures import Signed


def require_agreement(signed: Signed, held: Mapping[str, bytes]) -> dict[str, object]:
    """Compare the signatures with each other and with run.json and claims.json; return run.json.

    Args:
        signed: as `read_signed` returns it.
        held: {path in the result: bytes}, already checked against the statement's digests.

    Raises:
        SignatureError: the statement's signer did not sign SHA256SUMS with the SSH signature.
        VerificationError: they list different files, or one does not follow from the others.
    """
    _compare_sums(held[SUMS], signed.statement.subjects)
    verify_bytes(signed.ssh_signature, held[SUMS], signed.signer.public)
    run = read_run(held[RUN])
    _compare_predicate(run, held.get(CLAIMS), signed.statement)
    _compare_twin(signed.twin, signed.statement)
    return run


def _compare_sums(sums: bytes, subjects: Mapping[str, str]) -> None:
    others = {name: digest for name, digest in subjects.items() if name != SUMS}
    if sums != format_checksums(others).encode():
        raise VerificationError(
            f"{SUMS} and the signed statement list different files",
            expected="one line for each signed file, in path order",
            found=_odd_line(sums, format_checksums(others)),
            remedy="do not use this result: a reader of each would check another list",
        )


def _odd_line(sums: bytes, wanted: str) -> str:
    """Return the first line that one of two lists has and the other has not."""
    lines = sums.decode("utf-8", "replace").splitlines()
    odd = sorted(set(lines) ^ set(wanted.splitlines()))
    return show(odd[0]) if odd else "the same lines, in another order or twice"


def _compare_predicate(
    run: Mapping[str, object], claims: bytes | None, statement: Statement
) -> None:
    try:
        follows = predicate(run, claims)
    except ValueError as error:
        raise VerificationError(
            f"{RUN} or {CLAIMS} does not state what was run",
            expected="both as ./run.sh all writes them",
            found=error,
            remedy="finish the run, then sign it again: ./run.sh all",
        ) from None
    _require_equal(ENVELOPE, f"{RUN} and {CLAIMS}", statement.predicate, follows)


def _compare_twin(twin: Statement, statement: Statement) -> None:
    if other := set(twin.subjects.items()) ^ set(statement.subjects.items()):
        raise VerificationError(
            f"{TEST_RESULT} and {ENVELOPE} list different files",
            expected="the same files with the same digests",
            found=f"{len(other)} that differ, such as {show(min(other)[0])}",
            remedy="do not use this result: a reader of each would check another list",
        )
    follows = attest(statement.predicate, statement.subjects)
    _require_equal(TEST_RESULT, "the claims", twin.predicate, follows)


def _require_equal(
    name: str, source: str, signed: Mapping[str, object], follows: Mapping[str, object]
) -> None:
    if found := [show(line) for line in differences(dict(signed), dict(follows))]:
        raise VerificationError(
            f"{name} differs from {source}",
            expected="a predicate that follows from them",
            found=listed(found),
            remedy="do not use this result; ask the signer how it came to be",
        )
