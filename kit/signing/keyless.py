"""Keyless signatures: through Sigstore, an identity vouches for a result instead of a key.

A provider confirms an identity, Sigstore's authority certifies a key for it that is valid for ten
minutes, and a public log keeps for ever the signature, its time and the identity, which is often an
e-mail address. So the kit does this only on request. Signer and verifier both name the identity in
advance: that *someone* holds a certificate proves nothing.

The bundle signs the statement that the key has signed, so it proves the age of the statement. It
does not prove the age of the key's signature (`kit.signing.signers` says why that matters).
Source: Sigstore's bundle format v0.3.
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
from kit.signing.bundle_form import require_form
from kit.signing.envelope import PAYLOAD_TYPE, payload_of
from kit.signing.workflow import workflow_of

if TYPE_CHECKING:
    from sigstore.models import TrustedRoot

# The keys of the public Sigstore that the locked package ships. They are the same on every machine;
# those that Sigstore's client keeps in a home folder depend on its history.
PACKAGED_ROOT = ("_store", "https%3A%2F%2Ftuf-repo-cdn.sigstore.dev", "trusted_root.json")
MAX_MARKS = 2_000
CONFIG = "application/vnd.dev.sigstore.clienttrustconfig"
EXPECTED = "a bundle of Sigstore around exactly the statement that the key has signed"


@dataclass(frozen=True)
class Identity:
    """Who must have signed.

    Attributes:
        name: as the certificate states it: often an e-mail address; of a build service, the
            address of the workflow's file.
        issuer: the address of the provider.
        trust_config: a file that describes another Sigstore than the public one, or its newer keys.
    """

    name: str
    issuer: str
    trust_config: Path | None = None

    def __str__(self) -> str:
        return f"{show(self.name)}, issuer {show(self.issuer)}"


@dataclass(frozen=True)
class Vouched:
    """Who signed and when, in words; `commit` of a workflow's run, "" for a person."""

    said: str
    commit: str = ""


def statement_in(bundle: bytes) -> bytes:
    """Return the statement that a bundle contains, without asking who signed it.

    Raises:
        SignatureError: the file is not a bundle around one in-toto statement.
    """
    try:
        # These bytes are not verified yet, so limit the work. An honest bundle has some 150 marks.
        if bundle.count(b",") + bundle.count(b"[") > MAX_MARKS:
            raise ValueError("it has more parts than a bundle")
        value = parse_json(bundle)
        if not isinstance(value, dict):
            raise ValueError("not a JSON object")
        require_form(value, len(bundle))
        return payload_of(value.get("dsseEnvelope"))
    except (ValueError, SignatureError) as error:
        why = error.found if isinstance(error, KitError) else error
        raise refused(f"it contains no statement: {why}") from None


def vouch(bundle: bytes, statement: bytes, identity: Identity) -> Vouched:
    """Check, without network, that `identity` signed exactly `statement`; return who and when.

    Without network the kit cannot know whether an authority's key was withdrawn after the packages
    were locked.

    Raises:
        EnvironmentFault: this environment has no sigstore.
        SignatureError: the bundle is not a signature of `statement` by the identity.
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
    # Untrusted bytes pass through four packages. Whatever those raise, the bundle is refused.
    except Exception as error:
        raise refused(in_words(error), expected=f"a signature by {identity}") from error
    if kind != PAYLOAD_TYPE or signed != statement:
        raise refused("it does not sign the statement that the key has signed")
    certificate = read.signing_certificate
    said = f"{identity}, certified {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
    if (job := workflow_of(certificate)) is None:
        return Vouched(said)
    return Vouched(f"{said}; {job}", job.commit)


def trusted_root(trust_config: Path | None) -> "TrustedRoot":
    """Return the trusted keys: those of the public Sigstore, or those that a file describes.

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
    except Exception as error:  # untrusted bytes, as above
        raise not_a_trust_config(trust_config, error) from error


def read_trust_config(path: Path) -> str:
    """Return the text of a file that describes a Sigstore.

    Raises:
        SignatureError: the file cannot be read.
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
        remedy="leave --trust-config out for the public Sigstore, or ask the operator of another "
        "one for the file",
    )


def require_sigstore() -> None:
    """Check that Sigstore's client is installed.

    Raises:
        EnvironmentFault: it is not.
    """
    if find_spec("sigstore") is None:
        raise EnvironmentFault(
            "this environment has no sigstore, so it cannot check an identity",
            expected="the environment of docker/requirements.keyless.lock",
            found="no package of that name",
            remedy="outside a container, ./run.sh builds that environment for --keyless and "
            "--identity",
        )


def refused(reason: str, *, expected: str = EXPECTED) -> SignatureError:
    """Return the error for a bundle that proves nothing about its result."""
    return SignatureError(
        f"the keyless signature {BUNDLE} cannot be accepted",
        expected=expected,
        found=reason,
        remedy="ask over a channel that you trust who signed, and get the result again; if the "
        "signature is newer than this kit, it may need newer keys of its Sigstore: "
        "--trust-config FILE",
    )


def in_words(error: Exception) -> str:
    """Return an error of another package as one printable line of at most 300 characters."""
    return show(" ".join(f"{error or type(error).__name__}".split())[:300])
