"""The table from which a shell completes ./run.sh: the verbs with their options and arguments."""

from collections.abc import Iterator
from typing import Any, get_args

import click

from kit.cli.verbs import verbs
from kit.experiment.manifest import Manifest
from kit.experiment.section import Section

FILE = "docker/completion.table"
# What docker/complete.sh completes for an argument or an option, by its name in the code.
KINDS = {
    "manifest": "MANIFEST", "result": "RESULT", "reference": "RESULT", "given": "RESULT",
    "base": "MANIFEST", "changes": "KEY", "folder": "FILE",
}  # fmt: skip
# Verbs of run.sh and of other programs, whose arguments the command line does not declare.
OTHERS = {
    "test": "FILE", "bench": "MEASUREMENT", "image": "build,export",
    "try-method": "METHOD MANIFEST",
}  # fmt: skip
OTHER_OPTIONS = {"clean|--dry-run": "flag"}
RUNNER = {
    "--runner": "venv,docker,podman,apptainer", "--image": "TEXT", "--memory": "TEXT",
    "--shm-size": "TEXT",
}  # fmt: skip


def completion_table() -> str:
    """Return the table: see docker/complete.sh."""
    rows = {f"|{name}": kind for name, kind in RUNNER.items()}
    rows |= dict(_rows(verbs, [])) | OTHER_OPTIONS
    rows["|KEY"] = " ".join(_keys(Manifest, ""))
    return "".join(f"{place}|{kind}\n" for place, kind in rows.items())


def _rows(command: click.Command, words: list[str]) -> Iterator[tuple[str, str]]:
    name = " ".join(words)
    if isinstance(command, click.Group):
        yield f"{name}|", ",".join(command.commands)
    else:
        arguments = [p for p in command.params if isinstance(p, click.Argument)]
        yield f"{name}|", OTHERS.get(name) or " ".join(map(_kind, arguments))
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            kind = "flag" if option.is_flag else _kind(option)
            yield from ((f"{name}|{spelt}", kind) for spelt in option.opts)
    yield f"{name}|--help", "flag"
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            yield from _rows(inner, [*words, inner.name or ""])


def _kind(parameter: click.Parameter) -> str:
    if isinstance(parameter.type, click.Choice):
        return ",".join(parameter.type.choices)
    known = KINDS.get(parameter.name or "")
    return known or ("FILE" if isinstance(parameter.type, click.Path) else "TEXT")


def _keys(section: type[Section], begin: str) -> Iterator[str]:
    """Yield the keys of a manifest that `--set` changes, dotted, with `=` behind each."""
    for name, field in section.model_fields.items():
        kinds: list[Any] = [field.annotation, *get_args(field.annotation)]
        inner = next((k for k in kinds if isinstance(k, type) and issubclass(k, Section)), None)
        if inner is None:
            yield f"{begin}{name}="
        elif not str(field.annotation).startswith("tuple"):
            yield from _keys(inner, f"{begin}{name}.")
