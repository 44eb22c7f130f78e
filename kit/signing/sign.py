"""Sign a result three times with one key, for three kinds of readers.

An SSH signature of SHA256SUMS, for readers who have only OpenSSH and coreutils; and two in-toto
statements in DSSE envelopes: what was run, and the verdicts as a `test-result`.
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
    TIMESTAMP,
)
from kit.result.strict_json import MAX_BYTES, parse_json
from kit.result.tree import Tree, read_bytes, sha256_of, walk
from kit.signing.claim_attestation import TEST_RESULT_TYPE, attest
from kit.signing.envelope import seal
from kit.signing.keyless import statement_in
from kit.signing.predicate import PREDICATE_TYPE, predicate
from kit.signing.sshsig import sign_bytes
from kit.signing.statement import build

# `artifacts.write_bytes` leaves drafts behind if a run is killed. They must not be signed.
_DRAFT = re.compile(r"\..+\.[0-9]+\.tmp")


def sign(results: Path, *, key: Ed25519PrivateKey) -> Path:
    """Write SHA256SUMS and the signatures of everything in `results`; replace older ones.

    A keyless signature stays if it is over the same statement, and a timestamp if it is of the same
    envelope. Otherwise they are removed, because `verify` would refuse the result.

    Returns:
        The path of the envelope.

    Raises:
        MissingStageError: the folder or its run.json does not exist.
        SignatureError: the folder contains a link, an empty folder or a name that a signature
            cannot bind, or run.json does not state what was run.
        StorageError: the files cannot be written.
    """
    if not os.path.isfile(results / RUN):
        raise MissingStageError(
            f"{results} holds no {RUN}",
            expected="the folder of a run that is finished",
            found="a folder without it" if results.is_dir() else "no such folder",
            remedy="run the stages before it: ./run.sh all",
        )
    tree = _walk(results)
    digests = {
        name: sha256_of(path)
        for name, path in tree.files.items()
        if name not in SIGNING_FILES | {SUMS}
    }
    sums = format_checksums(digests).encode()
    digests[SUMS] = sha256_bytes(sums)
    content = _predicate(results, digests)
    twin = build(digests, TEST_RESULT_TYPE, attest(content, digests))
    _write(results / SUMS, sums)
    _write(results / SSH_SIGNATURE, sign_bytes(sums, key))
    _write(results / TEST_RESULT, seal(twin, key))
    statement = build(digests, PREDICATE_TYPE, content)
    envelope = seal(statement, key)
    if not _has_statement(results / BUNDLE, statement):
        _remove(results / BUNDLE)
    if not _has_bytes(results / ENVELOPE, envelope):
        _remove(results / TIMESTAMP)
    return _write(results / ENVELOPE, envelope)


def _has_statement(bundle: Path, statement: bytes) -> bool:
    try:
        return statement_in(read_bytes(bundle, max_bytes=MAX_BYTES)) == statement
    except (SignatureError, VerificationError):  # not a keyless signature, or no file
        return False


def _has_bytes(path: Path, data: bytes) -> bool:
    try:
        return read_bytes(path, max_bytes=MAX_BYTES) == data
    except VerificationError:  # no file, or a larger one
        return False


def _remove(path: Path) -> None:
    try:
        if path.is_file():
            path.unlink()
    except OSError as error:
        raise storage_error(error, path) from error


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
    """Return the statement's predicate, read from the bytes that are signed."""
    try:
        run = parse_json(_read(results, RUN, digests))
        if not isinstance(run, dict):
            raise ValueError("not a JSON object")
        claims = _read(results, CLAIMS, digests) if CLAIMS in digests else None
        return predicate(run, claims)
    except (ValueError, VerificationError) as error:
        raise SignatureError(
            f"{results / RUN} or {CLAIMS} does not state what was run",
            expected="both as ./run.sh all writes them, unchanged while they are signed",
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
