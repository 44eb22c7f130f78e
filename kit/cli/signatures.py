"""The verbs that sign and verify a result, and the one that makes a key. No logic here."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kit.cli.options import FILE, with_result
from kit.cli.signature_options import (
    require_web_address,
    stated_identity,
    with_authorities,
    with_identity,
    with_passphrase_file,
)
from kit.console import CHECK_SECONDS, say, tell, waiting

if TYPE_CHECKING:
    from kit.experiment.manifest import Manifest
    from kit.signing.keyless import Identity
    from kit.verification.case import Finding, Policy, Verification


@click.command()
@with_result
@with_passphrase_file
@click.option(
    "--timestamp",
    metavar="URL",
    callback=require_web_address,
    help="Also get a timestamp (RFC 3161) of the signature from this authority.",
)
@click.option(
    "--timestamp-only", is_flag=True, help="Do not sign; add --timestamp to an existing signature."
)
@with_authorities
@click.option(
    "--keyless", is_flag=True, help="Also sign as --identity, and PUBLISH this permanently."
)
@with_identity
@click.option(
    "--identity-token",
    type=FILE,
    help="A file with the identity's token (default: log in with a browser).",
)
def sign(
    result: str,
    changes: tuple[str, ...],
    passphrase_file: Path | None,
    timestamp: str | None,
    timestamp_only: bool,
    timestamp_authority: Path | None,
    keyless: bool,
    identity: str | None,
    issuer: str | None,
    trust_config: Path | None,
    identity_token: Path | None,
) -> None:
    """Sign a result with the runner key.

    RESULT is a result folder, or the manifest that the result was made from.

    --timestamp asks an authority to sign the current time, so that the result still verifies after
    the listed period of the key. The authority sees a digest and this machine's address. The kit
    trusts, for example, https://timestamp.sigstore.dev/api/v1/timestamp
    With --timestamp-only no key is needed, so anyone can add a timestamp to any signed result.

    With --keyless, --identity and --issuer, an identity signs the result too, through Sigstore. Its
    public log shows the identity (often an e-mail address), the time and a digest to everyone.
    """
    from kit.result.argument import find_result
    from kit.signing.keyless import require_sigstore

    who = stated_identity(identity, issuer, trust_config)
    if keyless != (who is not None) or (identity_token and not keyless):
        raise click.UsageError("a keyless signature needs all of --keyless, --identity, --issuer")
    if timestamp_only and (keyless or not timestamp):
        raise click.UsageError("--timestamp-only needs --timestamp URL, and signs nothing")
    if keyless:
        require_sigstore()
    folder = find_result(result, changes)
    if not timestamp_only:
        _sign_with_key(folder, passphrase_file)
    if timestamp:
        _add_timestamp(folder, timestamp, timestamp_authority)
    if who is not None:
        _publish(folder, who, identity_token)


def _sign_with_key(folder: Path, passphrase_file: Path | None) -> None:
    from kit.artifacts import PROJECT
    from kit.result.layout import BUNDLE, TIMESTAMP
    from kit.signing.keys import runner_key
    from kit.signing.passphrase import read_passphrase
    from kit.signing.sign import sign as sign_result

    before = [name for name in (BUNDLE, TIMESTAMP) if (folder / name).is_file()]
    key = runner_key(outside=[PROJECT, folder], passphrase=lambda: read_passphrase(passphrase_file))
    tell(f"signed: {sign_result(folder, key=key)}")
    for name in before:
        if not (folder / name).is_file():
            tell(f"removed {name}: it belonged to an earlier signature")


def _add_timestamp(folder: Path, address: str, authorities: Path | None) -> None:
    from kit.signing.timestamp import AUTHORITIES
    from kit.signing.timestamp_request import add_timestamp

    timestamp = add_timestamp(folder, address, authorities or AUTHORITIES)
    tell(f"timestamp: {timestamp}")


def _publish(folder: Path, who: "Identity", token: Path | None) -> None:
    from kit.signing.keyless_sign import sign_keyless

    say(f"publishing in Sigstore's log: {who}, the time and the digest of the statement")
    tell(f"signed: {sign_keyless(folder, who, token)}")


@click.command()
@with_result
@click.option("--trust", type=FILE, help="A public key to trust as well (PEM or ssh line).")
@click.option("--claims", type=FILE, help="A manifest; the result must have exactly its claims.")
@click.option(
    "--policy",
    type=click.Choice(["strict", "integrity"]),
    default="strict",
    help="integrity: only check signatures and files; do not recompute numbers.",
)
@with_identity
@with_authorities
@click.option("--json", "machine", is_flag=True, help="Print JSON, also if the result is refused.")
def verify(
    result: str,
    changes: tuple[str, ...],
    trust: Path | None,
    claims: Path | None,
    policy: "Policy",
    identity: str | None,
    issuer: str | None,
    trust_config: Path | None,
    timestamp_authority: Path | None,
    machine: bool,
) -> None:
    """Check signatures, files and numbers of a result.

    RESULT is a result folder, or the manifest that the result was made from.

    With --identity and --issuer, this identity must have signed, and the key may be unknown.
    """
    from kit.errors import KitError
    from kit.result.argument import find_result, require_made_from
    from kit.verification.case import Finding
    from kit.verification.memory_limit import guarded
    from kit.verification.text import accepted_json, describe, refused_json

    who = stated_identity(identity, issuer, trust_config)
    findings: list[Finding] = []
    try:
        folder = find_result(result, changes)
        with waiting(f"verifying {folder}", CHECK_SECONDS), guarded(folder):
            found = _verify(folder, trust, claims, policy, who, timestamp_authority, findings)
            require_made_from(result, found.manifest_digest, changes)
    except KitError as error:
        if machine:
            tell(refused_json(error, findings))
            error.is_told = True
        raise
    tell(accepted_json(found) if machine else describe(found))


def _verify(
    folder: Path,
    trust: Path | None,
    claims: Path | None,
    policy: "Policy",
    identity: "Identity | None",
    authorities: Path | None,
    findings: "list[Finding]",
) -> "Verification":
    from kit.experiment.manifest_file import load_manifest
    from kit.experiment.own_code import admit_files_of
    from kit.signing.timestamp import AUTHORITIES
    from kit.signing.trust import trusted_keys
    from kit.verification.verify import verify as verify_result

    given = load_manifest(claims) if claims else None
    if given is not None:
        admit_files_of(given)
    found = verify_result(
        folder,
        trusted=trusted_keys(trust),
        policy=policy,
        identity=identity,
        authorities=authorities or AUTHORITIES,
        findings=findings,
    )
    return found if given is None else _with_claims(found, given, str(claims))


def _with_claims(found: "Verification", given: "Manifest", origin: str) -> "Verification":
    """Check that a verified result has the claims of a manifest, and compare the manifests."""
    from dataclasses import replace

    from kit.comparison.differences import require_same_claims
    from kit.verification.same_manifest import compare_manifest

    require_same_claims(found.claims, given.claims, origin)
    whose = compare_manifest(found, given, origin)
    return replace(found, findings=(*found.findings, whose))


@click.command()
@click.option("--force", is_flag=True, help="Replace an existing key.")
@click.option("--encrypt", is_flag=True, help="Encrypt the key under a passphrase.")
@with_passphrase_file
def keygen(force: bool, encrypt: bool, passphrase_file: Path | None) -> None:
    """Create the runner key, or show it.

    It is an Ed25519 key in a file of mode 0600, outside the project.
    """
    from kit.artifacts import PROJECT
    from kit.signing.keys import fingerprint, holds_encrypted_key, key_folder, public_line
    from kit.signing.keys import keygen as make_key
    from kit.signing.passphrase import read_passphrase

    was_encrypted = holds_encrypted_key() and not force
    new = encrypt and not was_encrypted
    passphrase = read_passphrase(passphrase_file, new=True) if new else None
    public, made = make_key(force=force, outside=[PROJECT], passphrase=passphrase)
    kind = "encrypted runner key" if holds_encrypted_key() else "runner key"
    done = f"made the {kind}" if made else f"kept the {kind}"
    if passphrase and not made:
        done = "encrypted the runner key"
    tell(f"{done} in {key_folder()}")
    tell(f"public key:  {public_line(public).strip()}\nfingerprint: {fingerprint(public)}")
    if force:
        tell("results that the old key signed must be signed again: ./run.sh sign")
    if encrypt and was_encrypted:
        key = key_folder() / "runner.key"
        tell(f"its passphrase is unchanged; to change it: ssh-keygen -p -f {key}")
