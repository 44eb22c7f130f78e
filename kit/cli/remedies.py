"""Commands in messages, completed with the arguments of the call, so that each can be pasted.

Modules that raise errors know no path of a manifest. They write `./run.sh fetch` or
`./run.sh lock MANIFEST`, and this module writes the manifest (or the result) of the call.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import click

from kit.cli.options import DEFAULT_MANIFEST

COMMAND = re.compile(
    r"\./run\.sh(?P<words>(?: [a-z][a-z-]*(?![\w./-])){1,2})(?P<given> MANIFEST| RESULT)?"
)
PLACES = {"manifest": "MANIFEST", "result": "RESULT"}


def completed(text: str, arguments: Sequence[str], verbs: click.Group) -> str:
    """Return a message whose commands name the manifest or result of this call.

    Args:
        text: the message.
        arguments: those of the call, as they were typed.
        verbs: the command line.
    """
    params = _params_of(arguments, verbs)
    known, changes = _places_of(params), params.get("changes", ())

    def written(found: re.Match[str]) -> str:
        command, words = _command(verbs, found["words"].split())
        if command is None:
            return found[0]
        rest = found["words"].split()[len(words) :]
        first = next((p for p in command.params if isinstance(p, click.Argument)), None)
        place = PLACES.get(first.name or "", "") if first else ""
        value = known.get(place, "")
        # The default needs no name, and what is named already is not named twice.
        if value and value != DEFAULT_MANIFEST and not _follows(text, found):
            words = [*words, shlex.quote(value)]
        elif found["given"] and not value:
            words = [*words, found["given"].strip()]
        if not _follows(text, found) and any(p.name == "changes" for p in command.params):
            words += [word for change in changes for word in ("--set", shlex.quote(change))]
        return " ".join(["./run.sh", *words, *rest])

    return COMMAND.sub(written, text)


def for_this_call(text: str) -> str:
    """Return what a running verb prints, with commands that name its manifest."""
    call = click.get_current_context()
    verbs = call.find_root().command
    if not isinstance(verbs, click.Group) or not call.params.get("manifest"):
        return text
    words = [*call.command_path.split()[1:], str(call.params["manifest"])]
    for change in call.params.get("changes", ()):
        words += ["--set", change]
    return completed(text, words, verbs)


def _follows(text: str, found: re.Match[str]) -> bool:
    """Say whether a path stands behind a command already."""
    if found["given"]:
        return False
    after = re.match(r" ([^\s`;,]+)", text[found.end() :])
    return bool(after and ("/" in after[1] or after[1].endswith(".toml")))


def _params_of(arguments: Sequence[str], verbs: click.Group) -> Mapping[str, Any]:
    """Return the arguments and options of a call by their names; nothing of a wrong call."""
    command, words = _command(verbs, arguments)
    if command is None:
        return {}
    try:
        # A command keeps its first help option: it must be the one of the command line.
        settings = {**verbs.context_settings, "resilient_parsing": True}
        with command.make_context("", list(arguments[len(words) :]), **settings) as call:
            return dict(call.params)
    except click.ClickException:
        return {}


def _places_of(params: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the manifest and the result of a call, by their place in a command."""
    given = {PLACES[n]: str(v) for n, v in params.items() if n in PLACES and v}
    # A result may be named by its manifest.
    if given.get("RESULT", "").endswith(".toml"):
        given.setdefault("MANIFEST", given["RESULT"])
    return {"RESULT": given["MANIFEST"], **given} if "MANIFEST" in given else given


def _command(verbs: click.Group, words: Sequence[str]) -> tuple[click.Command | None, list[str]]:
    """Return the command that words begin with, and the words that name it."""
    group, named = verbs, list[str]()
    for word in words:
        found = group.commands.get(word)
        if found is None:
            return None, named
        named.append(word)
        if not isinstance(found, click.Group):
            return found, named
        group = found
    return None, named
