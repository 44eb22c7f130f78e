"""The options of the verbs that sign and verify, and what they mean together."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kit.cli.options import FILE, Command

if TYPE_CHECKING:
    from kit.signing.keyless import Identity


def with_passphrase_file(command: Command) -> Command:
    """Add the option --passphrase-file to a command."""
    return click.option(
        "--passphrase-file",
        type=FILE,
        help="A file (mode 0600) with the passphrase of the key. Without it: "
        "PEBENCH_PASSPHRASE_FILE, PEBENCH_PASSPHRASE, or a question on the terminal.",
    )(command)


def with_identity(command: Command) -> Command:
    """Add the options --identity, --issuer and --trust-config to a command."""
    options = [
        click.option(
            "--identity", metavar="NAME", help="The identity that signs or has signed keyless."
        ),
        click.option("--issuer", metavar="URL", help="The provider that confirms the identity."),
        click.option(
            "--trust-config", type=FILE, help="Describes another Sigstore than the public one."
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def with_authorities(command: Command) -> Command:
    """Add the option --timestamp-authority to a command."""
    return click.option(
        "--timestamp-authority",
        type=FILE,
        help="Certificates (PEM) of the timestamp authorities to trust, instead of "
        "checksums/timestamp_authorities.pem.",
    )(command)


def stated_identity(
    name: str | None, issuer: str | None, trust_config: Path | None
) -> "Identity | None":
    """Return the identity that the options name, or None if they name none.

    Raises:
        click.UsageError: the name or the issuer is missing.
    """
    from kit.signing.keyless import Identity

    if name and issuer:
        return Identity(name, issuer, trust_config)
    if name is None and issuer is None and trust_config is None:
        return None
    raise click.UsageError(
        "--identity and --issuer go together: one name may belong to different people at "
        "different providers"
    )


def require_web_address(_: object, option: click.Parameter, address: str | None) -> str | None:
    """Return the value of an option, unless it is not the address of a web service."""
    if address and not address.startswith(("http://", "https://")):
        raise click.BadParameter("an authority's address begins with http:// or https://")
    return address
