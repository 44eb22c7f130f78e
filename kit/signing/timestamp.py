"""Timestamps (RFC 3161): an authority's signed statement that a signature existed at a time.

A timestamp covers all bytes of manifest.intoto.json, the statement and the key's signature of it.
A proof for the statement alone would not do: the thief of an expired key could sign an old
statement today. The key's other two signatures need no timestamp, because
`kit.verification.statements` requires that they repeat what this one says.

A timestamp gives an upper bound: the signature was made at that time or before. An authority could
state a wrong time, so only those count that the verifier trusts.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509

from kit.artifacts import PROJECT
from kit.errors import EnvironmentFault, SignatureError
from kit.names import show
from kit.result.layout import ENVELOPE, TIMESTAMP
from kit.result.tree import read_bytes
from kit.signing.period import stamp

if TYPE_CHECKING:
    from rfc3161_client import TimeStampResponse

AUTHORITIES = PROJECT / "checksums" / "timestamp_authorities.pem"
MAX_BYTES = 1 << 16  # A response has 1 to 6 kB, certificates included.


@dataclass(frozen=True)
class Timestamp:
    """When an envelope existed (UTC), and the authority that has signed so."""

    time: datetime
    authority: str

    def __str__(self) -> str:
        when, who = stamp(self.time), show(self.authority)
        return f"the signature existed on {when}, says {who} ({TIMESTAMP})"


def find_timestamp(results: Path, envelope: bytes, authorities: Path) -> Timestamp | None:
    """Return the timestamp of a result, or None if it has none.

    Raises:
        EnvironmentFault: as for `read_timestamp`.
        SignatureError: as for `read_timestamp`.
        VerificationError: the timestamp is not a plain file, or has more than 64 KiB.
    """
    if not os.path.lexists(results / TIMESTAMP):
        return None
    response = read_bytes(results / TIMESTAMP, max_bytes=MAX_BYTES)
    return read_timestamp(response, envelope, authorities)


def read_timestamp(response: bytes, envelope: bytes, authorities: Path) -> Timestamp:
    """Check that a trusted authority has signed the time of `envelope`; return the time.

    Args:
        response: the file, a TimeStampResp of RFC 3161.
        envelope: the bytes of manifest.intoto.json.
        authorities: a PEM file with the certificates of the trusted authorities: their roots, and
            intermediate ones where there are any.

    Raises:
        EnvironmentFault: this environment has no rfc3161-client.
        SignatureError: the response is malformed, is about other bytes, or no trusted authority
            has signed it.
    """
    require_client()
    from rfc3161_client import VerifierBuilder, decode_timestamp_response

    roots, others = read_authorities(authorities)
    verifier = VerifierBuilder(roots=roots, intermediates=others).build()
    # The package parses a stranger's bytes: whatever it raises, no time is proved.
    try:
        decoded = decode_timestamp_response(response)
        signer = _signer(decoded)
        verifier.verify_message(decoded, envelope)
    except Exception as error:
        raise refused(_reason(error)) from error
    name = signer.subject.rfc4514_string()
    return Timestamp(decoded.tst_info.gen_time.astimezone(UTC), name)


def read_authorities(path: Path) -> tuple[list[x509.Certificate], list[x509.Certificate]]:
    """Return the root certificates of a PEM file, and its other certificates.

    Raises:
        SignatureError: the file cannot be read, or has no root certificate.
    """
    try:
        certificates = x509.load_pem_x509_certificates(path.read_bytes())
        roots = [each for each in certificates if each.issuer == each.subject]
        if not roots:
            raise ValueError("no root certificate (one that names itself as its issuer)")
    except (OSError, ValueError) as error:
        raise SignatureError(
            f"{path} does not name the timestamp authorities",
            expected="PEM certificates, the root of each authority among them",
            found=error,
            remedy="check --timestamp-authority FILE; the kit's own list is "
            f"checksums/{AUTHORITIES.name}",
        ) from error
    return roots, [each for each in certificates if each not in roots]


def require_client() -> None:
    """Check that the library for timestamps is installed.

    Raises:
        EnvironmentFault: it is not.
    """
    if find_spec("rfc3161_client") is None:
        raise EnvironmentFault(
            "this environment has no rfc3161-client, so it cannot check a timestamp",
            expected="the packages of docker/requirements.cpu.lock",
            found="no package of that name",
            remedy="unset PEBENCH_ENV, and ./run.sh builds an environment that has it",
        )


def refused(reason: str) -> SignatureError:
    """Return the error for a timestamp that proves nothing."""
    return SignatureError(
        f"the timestamp {TIMESTAMP} cannot be accepted",
        expected=f"a time for exactly these bytes of {ENVELOPE}, signed by an authority of "
        f"checksums/{AUTHORITIES.name}",
        found=show(" ".join(reason.split())[:300]),
        remedy="if you trust another authority, give its certificates: --timestamp-authority FILE; "
        f"or delete {TIMESTAMP}, and the result is verified without it",
    )


def _reason(error: Exception) -> str:
    """Return why the library refused a response, in words for its reader."""
    text = str(error) or type(error).__name__
    if certificate := re.search(r"Verify error: ([^\"]*)", text):
        return f"no trusted authority certifies its signer ({certificate[1]})"
    if "Mismatch between messages" in text:
        return f"it is not a timestamp of this {ENVELOPE}"
    return text


def _signer(response: "TimeStampResponse") -> x509.Certificate:
    """Return the certificate of the authority that signed.

    The library takes any certificate with the right issuer and number. A second one could claim a
    purpose that the signer's does not have.

    Raises:
        ValueError: there is not exactly one.
    """
    signed = response.signed_data
    certificates = [x509.load_der_x509_certificate(each) for each in signed.certificates]
    wanted = [(info.issuer, info.serial_number) for info in signed.signer_infos]
    matching: Sequence[x509.Certificate] = [
        each for each in certificates if (each.issuer, each.serial_number) in wanted
    ]
    if len(matching) != 1:
        raise ValueError(f"{len(matching)} certificates of its signer; 1 is expected")
    return matching[0]
