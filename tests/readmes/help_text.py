"""The help of every verb as one text, which is printed before the environment exists."""

from collections.abc import Iterator

import click

from kit.cli.verbs import verbs
from kit.supply_chain.slim import CALL

FILE = "docker/help.txt"
WIDTH = 80


def help_text() -> str:
    """Return the help of the command line, and of each of its verbs."""
    root = click.Context(
        verbs, info_name="./run.sh", terminal_width=WIDTH, **verbs.context_settings
    )
    return "\n".join(_sections(root, [])) + "\n"


def _sections(call: click.Context, words: list[str]) -> Iterator[str]:
    yield f"{CALL}{' '.join([*words, '--help'])}\n\n{call.get_help()}\n"
    if isinstance(call.command, click.Group):
        for name, inner in call.command.commands.items():
            below = click.Context(inner, parent=call, info_name=name, terminal_width=WIDTH)
            yield from _sections(below, [*words, name])
