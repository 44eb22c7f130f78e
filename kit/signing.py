"""Sign a result: SHA256SUMS over its files, and an in-toto statement in a DSSE envelope."""

import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kit import statement
from kit.artifacts import storage_error, write_bytes
from kit.digests import format_checksums, sha256_bytes
from kit.envelope import seal
from kit.errors import MissingStageError, SignatureError, VerificationError
from kit.result_tree import ENVELOPE, SUMS, Tree, read_bytes, sha256_of, show, walk
from kit.strict_json import MAX_BYTES, parse_json

RUN = "run.json"
# What `artifacts.write_bytes` leaves in a run that is killed; signed along, it would be published.
_DRAFT = re.compile(r"\..+\.[0-9]+\.tmp")


def sign(results: Path, *, key: Ed25519PrivateKey) -> Path:
    """Write SHA256SUMS and manifest.intoto.json over everything in `results`; replace older ones.

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
        name: sha256_of(path) for name, path in tree.files.items() if name not in {SUMS, ENVELOPE}
    }
    sums = format_checksums(digests).encode()
    digests[SUMS] = sha256_bytes(sums)
    payload = _payload(results, digests)
    _write(results / SUMS, sums)
    return _write(results / ENVELOPE, seal(payload, key))


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


def _payload(results: Path, digests: Mapping[str, str]) -> bytes:
    try:
        data = read_bytes(results / RUN, max_bytes=MAX_BYTES)
        if sha256_bytes(data) != digests[RUN]:
            raise ValueError("it changed while it was signed")
        run = parse_json(data)
        if not isinstance(run, dict):
            raise ValueError("not a JSON object")
        return statement.build(digests, run)
    except (ValueError, VerificationError) as error:
        raise SignatureError(
            f"{results / RUN} does not say what was run",
            found=error,
            remedy="write it again: ./run.sh all",
        ) from error


def _write(path: Path, data: bytes) -> Path:
    try:
        write_bytes(path, data)
    except OSError as error:
        raise storage_error(error, path) from error
    return path
