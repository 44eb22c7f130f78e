"""Arguments and options that several verbs share: one decorator for each."""

from collections.abc import Callable
from pathlib import Path

import click

Command = Callable[..., None]

DEFAULT_MANIFEST = "manifests/smoke.toml"
FILE = click.Path(path_type=Path)
DEBUG = "--debug"


def with_manifest(command: Command) -> Command:
    """Add the argument MANIFEST."""
    return click.argument("manifest", type=FILE, default=DEFAULT_MANIFEST)(command)


def with_result(command: Command) -> Command:
    """Add the argument RESULT: a result folder, or the manifest that the result was made from."""
    return click.argument("result", default=DEFAULT_MANIFEST)(command)


def with_json(command: Command) -> Command:
    """Add the flag --json, which the command receives as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def with_fetch_flags(command: Command) -> Command:
    """Add the flags of a download, which become the fields of `kit.fetch.settings.Settings`."""
    for flag, text in (
        ("--accept-licences", "Accept the licences of all sources; do not ask."),
        ("--allow-unlocked", "Run without committed checksum lists; the result records this."),
        ("--offline", "Open no connection; a missing file is an error."),
    ):
        command = click.option(flag, is_flag=True, help=text)(command)
    return command


def add_debug(command: click.Command) -> None:
    """Add the flag --debug to a command and all that it contains; `kit.cli.entry` reads it."""
    text = "Print the traceback of an error."
    command.params.append(click.Option([DEBUG], is_flag=True, expose_value=False, help=text))
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        add_debug(inner)
