"""Sign a result with an identity: the one place where the kit publishes something."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kit.artifacts import storage_error, write_bytes
from kit.errors import SignatureError
from kit.result.layout import BUNDLE, ENVELOPE
from kit.result.strict_json import MAX_BYTES
from kit.result.tree import read_bytes
from kit.signing.envelope import open_envelope
from kit.signing.keyless import (
    Identity,
    in_words,
    not_a_trust_config,
    read_trust_config,
    require_sigstore,
    vouch,
)

if TYPE_CHECKING:
    from sigstore.models import ClientTrustConfig
    from sigstore.oidc import IdentityToken

TOKEN_BYTES = 1 << 16
ANSWER_SECONDS = 120  # for all services together; the client itself waits for ever


class Unanswered(Exception):
    """Sigstore has not answered. No OSError: urllib3 would take that for one of its own."""


@contextmanager
def _answered_in_time() -> Iterator[None]:
    def expire(*_: object) -> None:
        raise Unanswered(f"no answer within {ANSWER_SECONDS} s")

    before = signal.signal(signal.SIGALRM, expire)
    signal.alarm(ANSWER_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def sign_keyless(results: Path, identity: Identity, token: Path | None = None) -> Path:
    """Let `identity` sign the statement that the key has signed; write the bundle beside it.

    Args:
        results: a result that `kit.signing.sign.sign` has signed.
        identity: who signs; a token for anybody else is refused before anything is published.
        token: a file with an OpenID Connect token for the audience "sigstore". Without it the
            surroundings are asked (a build service), then a browser.

    Raises:
        EnvironmentFault: this environment has no sigstore.
        SignatureError: there is no token, it is for somebody else, or Sigstore did not sign. There
            is no fallback: the result then has the key's signatures alone.
    """
    require_sigstore()
    statement = open_envelope(read_bytes(results / ENVELOPE, max_bytes=MAX_BYTES)).payload
    config = _trust_config(identity.trust_config)
    bundle = _signed(statement, _token(token, config, identity), config)
    # What a reader of this version will do with it.
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
            with _answered_in_time():
                return ClientTrustConfig.production()
        except Exception as error:
            raise _not_signed("the public Sigstore's keys could not be brought", error) from error
    text = read_trust_config(path)
    try:
        return ClientTrustConfig.from_json(text)
    except Exception as error:  # of pydantic, sigstore or json
        raise not_a_trust_config(path, error) from error


def _token(path: Path | None, config: "ClientTrustConfig", identity: Identity) -> "IdentityToken":
    """Return a token, once it is known to be for the identity that was stated."""
    from sigstore.oidc import IdentityToken

    try:
        found = IdentityToken(_raw_token(path, config))
    except Exception as error:
        raise _not_signed("there is no usable identity token", error) from error
    if (found.identity, found.federated_issuer) != (identity.name, identity.issuer):
        raise SignatureError(
            "the identity token is for somebody else; nothing was published",
            expected=identity,
            found=Identity(found.identity, found.federated_issuer),
            remedy="log in as the identity that you mean, or state the other one",
        )
    return found


def _raw_token(path: Path | None, config: "ClientTrustConfig") -> str:
    from sigstore.oidc import Issuer, detect_credential

    if path is not None:
        with path.open("rb") as stream:  # which may be a link, as a cluster mounts its tokens
            return stream.read(TOKEN_BYTES).decode("ascii").strip()
    return detect_credential() or str(Issuer(config.signing_config.get_oidc_url()).identity_token())


def _signed(statement: bytes, token: "IdentityToken", config: "ClientTrustConfig") -> bytes:
    from sigstore.dsse import Statement
    from sigstore.sign import SigningContext

    try:
        context = SigningContext.from_trust_config(config)
        with _answered_in_time(), context.signer(token) as signer:
            text: str = signer.sign_dsse(Statement(statement)).to_json()
            return f"{text}\n".encode()
    except Exception as error:  # of its four services, of requests, of x509
        # The certificate names the identity and is logged before anything is signed with it.
        what = "Sigstore did not sign, though its logs may show the identity already"
        raise _not_signed(what, error) from error


def _not_signed(what: str, error: Exception) -> SignatureError:
    return SignatureError(
        f"{what}: the result has the signatures of the key alone",
        found=in_words(error),
        remedy="check network and token (they last minutes), then ./run.sh sign --keyless again; "
        "without a browser: --identity-token FILE",
    )
