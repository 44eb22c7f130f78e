"""Keyless signatures: an identity vouches for a result instead of a key, through Sigstore.

A provider says who somebody is, Sigstore's authority certifies a key of ten minutes for that
identity, and a public log keeps the signature, its time and the identity, which often is an e-mail
address, for ever. So it is off unless somebody asks for it. The identity is stated beforehand, by
who signs as by who verifies: that somebody or other has a certificate proves nothing.
Source: Sigstore's bundle format v0.3, over the very statement that the key has signed.
"""

import json
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from kit.errors import EnvironmentFault, KitError, SignatureError
from kit.names import show
from kit.result.layout import BUNDLE
from kit.result.strict_json import MAX_BYTES, parse_json
from kit.signing.envelope import PAYLOAD_TYPE, payload_of

if TYPE_CHECKING:
    from sigstore.models import TrustedRoot

# The keys of the public Sigstore as the locked package carries them: the same on every machine,
# while those that Sigstore's client keeps in a home folder differ with its history.
PACKAGED_ROOT = ("_store", "https%3A%2F%2Ftuf-repo-cdn.sigstore.dev", "trusted_root.json")
CONFIG = "application/vnd.dev.sigstore.clienttrustconfig"


@dataclass(frozen=True)
class Identity:
    """Who must have signed: a name, as the provider `issuer` (an address) states it.

    `trust_config` describes another Sigstore than the public one, or newer keys of it.
    """

    name: str
    issuer: str
    trust_config: Path | None = None

    def __str__(self) -> str:
        return f"{show(self.name)}, issuer {show(self.issuer)}"


def statement_in(bundle: bytes) -> bytes:
    """Return the statement that a bundle carries, without asking who signed it.

    Raises:
        SignatureError: it is no bundle around one in-toto statement.
    """
    try:
        value = parse_json(bundle)
        if not isinstance(value, dict):
            raise ValueError("not a JSON object")
        return payload_of(value.get("dsseEnvelope"))
    except (ValueError, SignatureError) as error:
        why = error.what if isinstance(error, KitError) else error
        raise refused(f"it carries no statement: {why}") from None


def vouch(bundle: bytes, statement: bytes, identity: Identity) -> str:
    """Check, without network, that `identity` signed exactly `statement`; say who and when.

    Whether an authority's key was withdrawn after the kit's packages were locked cannot be known
    without network.

    Raises:
        EnvironmentFault: this environment has no sigstore.
        SignatureError: the identity did not sign it, or nobody did.
    """
    require_sigstore()
    from sigstore.models import Bundle
    from sigstore.verify import Verifier
    from sigstore.verify.policy import Identity as SignedBy

    policy = SignedBy(identity=identity.name, issuer=identity.issuer)
    root = trusted_root(identity.trust_config)
    try:
        read = Bundle.from_json(bundle)
        kind, signed = Verifier(trusted_root=root).verify_dsse(read, policy)
    # A stranger's bytes go through four packages: whatever they raise, nobody has vouched.
    except Exception as error:
        raise refused(in_words(error), expected=f"a signature by {identity}") from error
    if kind != PAYLOAD_TYPE or signed != statement:
        raise refused("it is over another statement than the key's")
    certified = read.signing_certificate.not_valid_before_utc
    return f"{identity}, certified {certified:%Y-%m-%d %H:%M} UTC"


def trusted_root(trust_config: Path | None) -> "TrustedRoot":
    """Return the keys that are trusted: the public Sigstore's, or those that a file describes.

    Raises:
        SignatureError: the file is neither a client trust config nor a trusted root.
    """
    from sigstore.models import ClientTrustConfig, TrustedRoot

    if trust_config is None:
        return TrustedRoot.from_file(str(files("sigstore").joinpath(*PACKAGED_ROOT)))
    text = read_trust_config(trust_config)
    try:
        if str(json.loads(text).get("mediaType")).startswith(CONFIG):
            return ClientTrustConfig.from_json(text).trusted_root
        return TrustedRoot.from_file(str(trust_config))
    except Exception as error:  # a stranger's file, as above
        raise not_a_trust_config(trust_config, error) from error


def read_trust_config(path: Path) -> str:
    """Return the text of a file that describes a Sigstore.

    Raises:
        SignatureError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise not_a_trust_config(path, error) from error


def not_a_trust_config(path: Path, error: Exception) -> SignatureError:
    """Return the error for a file that does not describe a Sigstore."""
    return SignatureError(
        f"{path} does not describe a Sigstore",
        expected=f"JSON of type {CONFIG}.v0.1+json, or a trusted root",
        found=in_words(error),
        remedy="leave --trust-config out for the public Sigstore, or ask its operator for it",
    )


def require_sigstore() -> None:
    """Check that Sigstore's client is installed.

    Raises:
        EnvironmentFault: it is not; there is no way to do without.
    """
    if find_spec("sigstore") is None:
        raise EnvironmentFault(
            "this environment has no sigstore, so that no identity can be checked",
            expected="the environment of docker/requirements.keyless.lock",
            remedy="outside a container, ./run.sh builds it for --keyless and --identity",
        )


def refused(reason: str, *, expected: str | None = None) -> SignatureError:
    """Return the error for a bundle that does not vouch for its result."""
    return SignatureError(
        f"the keyless signature {BUNDLE} cannot be accepted: {reason}",
        expected=expected,
        remedy="ask over a channel that you trust who signed, and get the result again; a signature"
        " newer than this kit may need newer keys of its Sigstore: --trust-config FILE",
    )


def in_words(error: Exception) -> str:
    """Return an error of another package as one printable line."""
    return show(" ".join(f"{error or type(error).__name__}".split())[:300])
