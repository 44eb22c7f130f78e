"""Ask a timestamp authority to sign the time of a result's signatures (RFC 3161, over HTTP)."""

import urllib.request
from http.client import HTTPException
from pathlib import Path

from kit.artifacts import storage_error, write_bytes
from kit.errors import SignatureError, TransferError
from kit.names import show
from kit.result.layout import ENVELOPE, TIMESTAMP
from kit.result.strict_json import MAX_BYTES as MAX_ENVELOPE_BYTES
from kit.result.tree import read_bytes
from kit.signing.deadline import Unanswered, answered_within
from kit.signing.timestamp import (
    AUTHORITIES,
    MAX_BYTES,
    Timestamp,
    read_timestamp,
    refused,
    require_client,
)

ANSWER_SECONDS = 60


def add_timestamp(results: Path, address: str, authorities: Path = AUTHORITIES) -> Timestamp:
    """Get a timestamp of manifest.intoto.json and write it beside that file.

    The authority learns the digest of the file and the address of this machine, nothing else.

    Args:
        results: a signed result. Its key is not needed.
        address: of the authority, http://... or https://...
        authorities: the certificates of the authorities that are trusted.

    Raises:
        EnvironmentFault: this environment has no rfc3161-client.
        SignatureError: the result is not signed, or the answer is not a timestamp of it by a
            trusted authority.
        StorageError: the file cannot be written.
        TransferError: the authority did not answer.
    """
    require_client()
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, decode_timestamp_response

    if not (results / ENVELOPE).is_file():
        raise SignatureError(
            f"{results} is not signed: it has no {ENVELOPE}",
            expected="a signed result",
            found="a folder without it" if results.is_dir() else "no such folder",
            remedy="for your own run: ./run.sh sign, without --timestamp-only",
        )
    envelope = read_bytes(results / ENVELOPE, max_bytes=MAX_ENVELOPE_BYTES)
    builder = TimestampRequestBuilder(data=envelope, hash_algorithm=HashAlgorithm.SHA256)
    request = builder.build()
    response = _post(address, request.as_bytes())
    # As a verifier with this version of the kit will do.
    timestamp = read_timestamp(response, envelope, authorities)
    if decode_timestamp_response(response).tst_info.nonce != request.nonce:
        raise refused("it answers another request")
    try:
        write_bytes(results / TIMESTAMP, response)
    except OSError as error:
        raise storage_error(error, results / TIMESTAMP) from error
    return timestamp


def _post(address: str, query: bytes) -> bytes:
    headers = {"Content-Type": "application/timestamp-query"}
    request = urllib.request.Request(address, query, headers, method="POST")
    try:
        with (
            answered_within(ANSWER_SECONDS),
            urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer,
        ):
            data: bytes = answer.read(MAX_BYTES + 1)
    except (OSError, ValueError, HTTPException, Unanswered) as error:
        raise TransferError(
            f"the timestamp authority {show(address)} did not answer",
            expected="a timestamp over HTTP, as RFC 3161 describes it",
            found=error,
            remedy="check address and network, then ./run.sh sign --timestamp again; "
            "the result is signed, only without a timestamp",
        ) from error
    if len(data) > MAX_BYTES:
        raise refused(f"the answer has more than {MAX_BYTES} bytes")
    return data
