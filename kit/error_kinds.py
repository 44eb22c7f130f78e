"""The catalogue of errors: an id for each kind of problem, what it means, and what to do.

An id is `PE-` and four digits. The first two are the exit code of the error's class, so they say
what is wrong. The last two say which part of the kit noticed it.

The kit makes errors in more than six hundred places. An id for each of them would change with every
rewording, and its entry could only repeat the message, which already names what was expected and
found, and a remedy. So an id names a kind: a class, and the modules that make it. No code that
raises an error writes an id. Every error has exactly one: that of the most special name of its
module, or the `00` of its class. The shell, `run.sh` and docker/*.sh, writes the id where it fails.

The kinds are in error_kinds.txt. An id keeps its meaning, and is never given to another kind: where
no module makes it any more, it stays in the file as `retired`.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).with_suffix(".txt")
RETIRED = "retired"


class Kind(NamedTuple):
    """A kind of error: its id, the modules that make it, what is wrong, and what to do."""

    id: str
    modules: tuple[str, ...]
    problem: str
    remedy: str

    @property
    def exit_code(self) -> int:
        """The exit code of the errors of this kind."""
        return int(self.id[3:5])


@cache
def kinds() -> tuple[Kind, ...]:
    """Return every kind, in the order of the ids."""
    lines = FILE.read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.split("|")] for line in lines if line[:1] != "#"]
    return tuple(Kind(name, tuple(made.split()), what, do) for name, made, what, do in rows)


@cache
def _by_place() -> Mapping[tuple[int, str], Kind]:
    """Return the kinds by exit code and module; "kit" is the module of those for all others."""
    return {
        (kind.exit_code, f"kit.{module}" if module else "kit"): kind
        for kind in kinds()
        for module in kind.modules or ("",)
    }


def kind_of(exit_code: int, module: str) -> Kind:
    """Return the kind of an error, from the exit code of its class and the module that made it."""
    known, name = _by_place(), module
    while name and (exit_code, name) not in known:
        name = name.rpartition(".")[0]
    return known[exit_code, name or "kit"]
