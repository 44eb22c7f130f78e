"""The verbs about who vouches for a result: sign, verify, keygen. No logic here."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from kit.signing.keyless import Identity
    from kit.verification.case import Finding, Policy, Verification

DEFAULT = "manifests/smoke.toml"
FILE: Any = click.Path(path_type=Path)


def with_passphrase_file(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the flag --passphrase-file."""
    option: Any = click.option(
        "--passphrase-file",
        type=FILE,
        help="A file (mode 0600) with the key's passphrase; else PEBENCH_PASSPHRASE_FILE, "
        "PEBENCH_PASSPHRASE, or a question on the terminal.",
    )
    return option(command)


def with_identity(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the flags --identity, --issuer and --trust-config."""
    options: list[Any] = [
        click.option("--identity", metavar="NAME", help="Who signs, or must have signed, keyless."),
        click.option("--issuer", metavar="URL", help="The provider that vouches for the identity."),
        click.option("--trust-config", type=FILE, help="Another Sigstore than the public one."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def stated_identity(
    name: str | None, issuer: str | None, trust_config: Path | None
) -> "Identity | None":
    from kit.signing.keyless import Identity

    if name and issuer:
        return Identity(name, issuer, trust_config)
    if name is None and issuer is None and trust_config is None:
        return None
    raise click.UsageError(
        "--identity and --issuer go together: anybody can have a name at some provider"
    )


@click.command()
@click.argument("result", default=DEFAULT)
@with_passphrase_file
@click.option("--keyless", is_flag=True, help="Let --identity sign as well; PUBLISHES it for ever.")
@with_identity
@click.option("--identity-token", type=FILE, help="A file with its token; else a browser is asked.")
def sign(
    result: str,
    passphrase_file: Path | None,
    keyless: bool,
    identity: str | None,
    issuer: str | None,
    trust_config: Path | None,
    identity_token: Path | None,
) -> None:
    """Sign a result (a folder, or the manifest it was made from) with the runner key.

    With --keyless, --identity and --issuer an identity signs it as well, through Sigstore, whose
    log shows the identity (often an e-mail address), the time and the statement's digest to all.
    """
    from kit.artifacts import PROJECT
    from kit.result.argument import find_result
    from kit.result.layout import BUNDLE
    from kit.signing.keyless import require_sigstore
    from kit.signing.keys import runner_key
    from kit.signing.passphrase import read_passphrase
    from kit.signing.sign import sign as sign_result

    who = stated_identity(identity, issuer, trust_config)
    if keyless != (who is not None) or (identity_token and not keyless):
        raise click.UsageError("a keyless signature needs all of --keyless, --identity, --issuer")
    if keyless:
        require_sigstore()
    folder = find_result(result)
    had_bundle = (folder / BUNDLE).is_file()
    key = runner_key(outside=[PROJECT, folder], passphrase=lambda: read_passphrase(passphrase_file))
    click.echo(f"signed: {sign_result(folder, key=key)}")
    if had_bundle and not (folder / BUNDLE).is_file():
        click.echo(f"removed {BUNDLE}: it was over another statement")
    if who is not None:
        _publish(folder, who, identity_token)


def _publish(folder: Path, who: "Identity", token: Path | None) -> None:
    from kit.signing.keyless_sign import sign_keyless

    click.echo(
        f"Sigstore's log is to show {who}, the time and the statement's digest to everybody",
        err=True,
    )
    click.echo(f"signed: {sign_keyless(folder, who, token)}")


@click.command()
@click.argument("result", default=DEFAULT)
@click.option("--trust", type=FILE, help="A public key to trust (PEM or ssh line).")
@click.option("--claims", type=FILE, help="A manifest: its claims, and no others.")
@click.option(
    "--policy",
    type=click.Choice(["strict", "integrity"]),
    default="strict",
    help="integrity: signature and files alone, no number is recomputed.",
)
@with_identity
@click.option("--json", "machine", is_flag=True, help="Print JSON, of a refusal as well.")
def verify(
    result: str,
    trust: Path | None,
    claims: Path | None,
    policy: "Policy",
    identity: str | None,
    issuer: str | None,
    trust_config: Path | None,
    machine: bool,
) -> None:
    """Check signature, files and numbers of a result (a folder, or the manifest it is of).

    With --identity and --issuer that identity must have signed, and no key has to be known.
    """
    from kit.errors import KitError
    from kit.verification.case import Finding
    from kit.verification.memory_limit import guarded
    from kit.verification.text import accepted_json, describe, refused_json

    who = stated_identity(identity, issuer, trust_config)
    findings: list[Finding] = []
    try:
        with guarded():
            found = _verified(result, trust, claims, policy, who, findings)
    except KitError as error:
        if machine:
            click.echo(refused_json(error, findings))
        raise
    click.echo(accepted_json(found) if machine else describe(found))


def _verified(
    result: str,
    trust: Path | None,
    claims: Path | None,
    policy: "Policy",
    identity: "Identity | None",
    findings: "list[Finding]",
) -> "Verification":
    from kit.comparison.differences import require_same_claims
    from kit.experiment.manifest_file import load_manifest
    from kit.result.argument import find_result, require_made_from
    from kit.signing.trust import trusted_keys
    from kit.verification.verify import verify as verify_result

    found = verify_result(
        find_result(result),
        trusted=trusted_keys(trust),
        policy=policy,
        identity=identity,
        findings=findings,
    )
    require_made_from(result, found.manifest_digest)
    if claims:
        require_same_claims(found.claims, load_manifest(claims).claims, str(claims))
    return found


@click.command()
@click.option("--force", is_flag=True, help="Replace the key that is there.")
@click.option("--encrypt", is_flag=True, help="Encrypt the key that is made under a passphrase.")
@with_passphrase_file
def keygen(force: bool, encrypt: bool, passphrase_file: Path | None) -> None:
    """Make the runner key (Ed25519, mode 0600, outside project and results)."""
    from kit.artifacts import PROJECT
    from kit.signing.keys import fingerprint, holds_encrypted_key, key_folder, public_line
    from kit.signing.keys import keygen as make_key
    from kit.signing.passphrase import read_passphrase

    passphrase = read_passphrase(passphrase_file, new=True) if encrypt else None
    public, made = make_key(force=force, outside=[PROJECT], passphrase=passphrase)
    kind = "encrypted runner key" if holds_encrypted_key() else "runner key"
    click.echo(f"{'made' if made else 'kept'} the {kind} in {key_folder()}")
    click.echo(f"public key:  {public_line(public)}\nfingerprint: {fingerprint(public)}")
    if force:
        click.echo("results that the old key signed have to be signed anew: ./run.sh sign")
