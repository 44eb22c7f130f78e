"""Sign a result three times with one key, for three kinds of readers.

SHA256SUMS with an SSH signature for who has only OpenSSH and coreutils; the in-toto statement of
what was run; and its twin of type test-result, each in a DSSE envelope.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kit.artifacts import storage_error, write_bytes
from kit.digests import format_checksums, sha256_bytes
from kit.errors import MissingStageError, SignatureError, VerificationError
from kit.names import show
from kit.result.layout import (
    BUNDLE,
    CLAIMS,
    ENVELOPE,
    RUN,
    SIGNING_FILES,
    SSH_SIGNATURE,
    SUMS,
    TEST_RESULT,
)
from kit.result.strict_json import MAX_BYTES, parse_json
from kit.result.tree import Tree, read_bytes, sha256_of, walk
from kit.signing.claim_attestation import TEST_RESULT_TYPE, attest
from kit.signing.envelope import seal
from kit.signing.keyless import statement_in
from kit.signing.predicate import PREDICATE_TYPE, predicate
from kit.signing.sshsig import sign_bytes
from kit.signing.statement import build

# What `artifacts.write_bytes` leaves in a run that is killed; signed along, it would be published.
_DRAFT = re.compile(r"\..+\.[0-9]+\.tmp")


def sign(results: Path, *, key: Ed25519PrivateKey) -> Path:
    """Write SHA256SUMS and the signatures over everything in `results`; replace older ones.

    A keyless signature beside them stays where it is over the same statement, and is removed where
    it is not: it would be refused with the whole result.

    Returns:
        The path of the envelope.

    Raises:
        MissingStageError: the folder or its run.json does not exist.
        SignatureError: it holds a link, an empty folder or a name that a signature cannot bind,
            or run.json does not say what was run.
        StorageError: the files cannot be written.
    """
    if not os.path.isfile(results / RUN):
        raise MissingStageError(
            f"{results} holds no {RUN}", remedy="run the stages before it: ./run.sh all"
        )
    tree = _walk(results)
    digests = {
        name: sha256_of(path)
        for name, path in tree.files.items()
        if name not in SIGNING_FILES | {SUMS}
    }
    sums = format_checksums(digests).encode()
    digests[SUMS] = sha256_bytes(sums)
    said = _predicate(results, digests)
    twin = build(digests, TEST_RESULT_TYPE, attest(said, digests))
    _write(results / SUMS, sums)
    _write(results / SSH_SIGNATURE, sign_bytes(sums, key))
    _write(results / TEST_RESULT, seal(twin, key))
    statement = build(digests, PREDICATE_TYPE, said)
    _remove_bundle_of_another(results / BUNDLE, statement)
    return _write(results / ENVELOPE, seal(statement, key))


def _remove_bundle_of_another(bundle: Path, statement: bytes) -> None:
    if not bundle.is_file():
        return
    try:
        if statement_in(read_bytes(bundle, max_bytes=MAX_BYTES)) == statement:
            return
    except SignatureError:
        pass  # not one at all
    try:
        bundle.unlink()
    except OSError as error:
        raise storage_error(error, bundle) from error


def _walk(results: Path) -> Tree:
    try:
        for name, path in walk(results).files.items():
            if _DRAFT.fullmatch(PurePosixPath(name).name):
                path.unlink()
    except OSError as error:
        raise storage_error(error) from error
    tree = walk(results)
    if tree.faults:
        faults = (f"{show(name)}: {reason}" for name, reason in sorted(tree.faults.items()))
        raise SignatureError(
            f"{results} cannot be signed",
            expected="regular files with plain names, and no empty folder",
            found="\n    ".join(faults),
            remedy="remove or rename these entries, then ./run.sh sign again",
        )
    return tree


def _predicate(results: Path, digests: Mapping[str, str]) -> dict[str, object]:
    """Return what the statement says, read from the bytes that are signed."""
    try:
        run = parse_json(_read(results, RUN, digests))
        if not isinstance(run, dict):
            raise ValueError("not a JSON object")
        claims = _read(results, CLAIMS, digests) if CLAIMS in digests else None
        return predicate(run, claims)
    except (ValueError, VerificationError) as error:
        raise SignatureError(
            f"{results / RUN} or {CLAIMS} does not say what was run",
            found=error,
            remedy="write them again: ./run.sh all",
        ) from error


def _read(results: Path, name: str, digests: Mapping[str, str]) -> bytes:
    data = read_bytes(results / name, max_bytes=MAX_BYTES)
    if sha256_bytes(data) != digests[name]:
        raise ValueError(f"{name} changed while it was signed")
    return data


def _write(path: Path, data: bytes) -> Path:
    try:
        write_bytes(path, data)
    except OSError as error:
        raise storage_error(error, path) from error
    return path
