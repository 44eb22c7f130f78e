"""The keys that a verifier knows: listed signers, this machine's key, and a key that is given."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    load_pem_public_key,
    load_ssh_public_key,
)

from kit.artifacts import PROJECT
from kit.errors import SignatureError
from kit.signing.allowed_signers import TrustedKey, read_key_file, read_revoked, read_signers
from kit.signing.keys import key_folder, raw_public

ALLOWED_SIGNERS = PROJECT / "checksums" / "allowed_signers"
REVOKED_KEYS = PROJECT / "checksums" / "revoked_keys"
RUNNER, GIVEN = "runner (this machine's key)", "given key"


def trusted_keys(
    given: Path | Sequence[Path] | None = None,
    *,
    signers: Path = ALLOWED_SIGNERS,
    revoked: Path = REVOKED_KEYS,
) -> tuple[TrustedKey, ...]:
    """Return the known keys: listed signers first, then this machine's, then those given.

    Keys that do not count are included, so that a message can name them. A revoked key counts in
    no role, even if it is listed or given.

    Raises:
        SignatureError: a file cannot be read, or contains anything but Ed25519 public keys.
    """
    keys = list(read_signers(signers)) if signers.exists() else []
    # Verifying needs no key of one's own, so a missing HOME or an unreadable key is no error.
    with suppress(SignatureError):
        own = key_folder() / "runner.pub"
        if os.access(own, os.R_OK):
            keys.append(TrustedKey(read_public_key(own), RUNNER, str(own)))
    for file in [given] if isinstance(given, Path) else given or ():
        keys.append(TrustedKey(read_public_key(file), GIVEN, str(file)))
    revocations = list(read_revoked(revoked)) if revoked.exists() else []
    refusals = {raw_public(key.public): key.refusal for key in revocations}
    return (
        *(replace(k, refusal=refusals.get(raw_public(k.public), k.refusal)) for k in keys),
        *revocations,
    )


def read_public_key(path: Path) -> Ed25519PublicKey:
    """Read one public key: PEM, or an `ssh-ed25519 AAAA...` line.

    Raises:
        SignatureError: the file contains something else. A private key gets its own message.
    """
    text = read_key_file(path)
    if "PRIVATE KEY" in text:
        raise SignatureError(
            f"{path} is a private key",
            expected="the public key of the signer (runner.pub, or PEM)",
            found="a text with the words PRIVATE KEY",
            remedy="keep a private key secret: anyone who has it can sign as its holder. If "
            "this is your own key, name runner.pub in the same folder",
        )
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    try:
        if text.lstrip().startswith("-----BEGIN PUBLIC KEY-----"):
            key = load_pem_public_key(text.strip().encode())
        elif len(lines) == 1:
            key = load_ssh_public_key(lines[0].strip().encode())
        else:
            key = None
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise SignatureError(
            f"{path} is not an Ed25519 public key",
            expected="PEM (BEGIN PUBLIC KEY) or one line: ssh-ed25519 AAAA...",
            found=f"{len(lines)} lines that hold {'none' if key is None else type(key).__name__}",
            remedy="ask the signer for the file runner.pub",
        )
    return key
