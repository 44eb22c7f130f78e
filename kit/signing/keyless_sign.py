"""Sign a result with an identity: the only place where the kit publishes something."""

from pathlib import Path
from typing import TYPE_CHECKING

from kit.artifacts import storage_error, write_bytes
from kit.errors import SignatureError
from kit.result.layout import BUNDLE, ENVELOPE
from kit.result.strict_json import MAX_BYTES
from kit.result.tree import read_bytes
from kit.signing.deadline import answered_within
from kit.signing.envelope import open_envelope
from kit.signing.keyless import (
    Identity,
    in_words,
    not_a_trust_config,
    read_trust_config,
    require_sigstore,
    vouch,
)
from kit.signing.workflow import certified_name

if TYPE_CHECKING:
    from sigstore.models import ClientTrustConfig
    from sigstore.oidc import IdentityToken

TOKEN_BYTES = 1 << 16
ANSWER_SECONDS = 120  # for all services together; Sigstore's client has no limit


def sign_keyless(results: Path, identity: Identity, token: Path | None = None) -> Path:
    """Let `identity` sign the statement that the key has signed; write the bundle beside it.

    Args:
        results: a result that `kit.signing.sign.sign` has signed.
        identity: who signs. A token for another identity is refused before anything is published.
        token: a file with an OpenID Connect token for the audience "sigstore". Without it, the
            kit takes the token that a build service provides, or asks for one in a browser.

    Raises:
        EnvironmentFault: this environment has no sigstore.
        SignatureError: there is no token, it is for another identity, or Sigstore did not sign.
            The result then keeps the key's signatures only.
    """
    require_sigstore()
    statement = open_envelope(read_bytes(results / ENVELOPE, max_bytes=MAX_BYTES)).payload
    config = _trust_config(identity.trust_config)
    bundle = _signed(statement, _token(token, config, identity), config)
    # As a verifier with this version of the kit will do.
    vouch(bundle, statement, identity)
    try:
        write_bytes(results / BUNDLE, bundle)
    except OSError as error:
        raise storage_error(error, results / BUNDLE) from error
    return results / BUNDLE


def _trust_config(path: Path | None) -> "ClientTrustConfig":
    from sigstore.models import ClientTrustConfig

    if path is None:
        try:
            with answered_within(ANSWER_SECONDS):
                return ClientTrustConfig.production()
        except Exception as error:
            what = "the keys of the public Sigstore could not be downloaded"
            raise _not_signed(what, error) from error
    text = read_trust_config(path)
    try:
        return ClientTrustConfig.from_json(text)
    except Exception as error:  # of pydantic, sigstore or json
        raise not_a_trust_config(path, error) from error


def _token(path: Path | None, config: "ClientTrustConfig", identity: Identity) -> "IdentityToken":
    """Return a token, after checking that it is for the stated identity."""
    from sigstore.oidc import IdentityToken

    try:
        found = IdentityToken(_raw_token(path, config))
    except Exception as error:
        raise _not_signed("there is no usable identity token", error) from error
    # A build service's token states its workflow in another claim than the identity of a person.
    name = certified_name(str(found)) or found.identity
    if (name, found.federated_issuer) != (identity.name, identity.issuer):
        raise SignatureError(
            "the identity token is for another identity; nothing was published",
            expected=identity,
            found=Identity(name, found.federated_issuer),
            remedy="log in as the stated identity, or state the one that you logged in as",
        )
    return found


def _raw_token(path: Path | None, config: "ClientTrustConfig") -> str:
    from sigstore.oidc import Issuer, detect_credential

    if path is not None:
        with path.open("rb") as stream:  # may be a link: clusters mount tokens that way
            return stream.read(TOKEN_BYTES).decode("ascii").strip()
    return detect_credential() or str(Issuer(config.signing_config.get_oidc_url()).identity_token())


def _signed(statement: bytes, token: "IdentityToken", config: "ClientTrustConfig") -> bytes:
    from sigstore.dsse import Statement
    from sigstore.sign import SigningContext

    try:
        context = SigningContext.from_trust_config(config)
        with answered_within(ANSWER_SECONDS), context.signer(token) as signer:
            text: str = signer.sign_dsse(Statement(statement)).to_json()
            return f"{text}\n".encode()
    except Exception as error:  # of its four services, of requests, of x509
        # The certificate names the identity, and it is logged before it signs anything.
        what = "Sigstore did not sign, but its logs may already show the identity"
        raise _not_signed(what, error) from error


def _not_signed(what: str, error: Exception) -> SignatureError:
    return SignatureError(
        f"{what}; the result has only the signatures of the key",
        expected="answers of Sigstore's services, for a token of the stated identity",
        found=in_words(error),
        remedy="check network and token (a token lasts minutes), then ./run.sh sign --keyless "
        "again; without a browser: --identity-token FILE",
    )
