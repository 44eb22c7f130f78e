"""The name of something new: how it is written in files, and that nothing else has it."""

import keyword
import re
from collections.abc import Collection
from dataclasses import dataclass

from kit.errors import ManifestError
from kit.names import show

LONGEST = 24  # characters: every line of a scaffold then fits
FORM = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
EXPECTED = f"a letter, then letters, digits and hyphens, at most {LONGEST}, such as my-method"
# Systems of every table, and what the scaffolds themselves import.
RESERVED = frozenset({"vanilla", "retain-only", "tensor", "class-var", "needs", "step"})
# Windows opens a device for a file of such a name: the project could not be cloned there.
DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
)


@dataclass(frozen=True)
class NewName:
    """One name in its four forms: `my-method`, `my_method`, `MyMethod` and `My method`."""

    name: str

    @property
    def module(self) -> str:
        """The name of a Python file, without .py."""
        return self.name.replace("-", "_")

    @property
    def cls(self) -> str:
        """The name of a class."""
        return "".join(part.capitalize() for part in self.name.split("-"))

    @property
    def label(self) -> str:
        """The name in a table or a title."""
        return self.name.replace("-", " ").capitalize()


def require_name(kind: str, given: str, taken: Collection[str] = ()) -> NewName:
    """Return the name of a new method, benchmark or manifest.

    Args:
        kind: "method", "benchmark" or "manifest", for messages.
        given: what the user typed. Underscores become hyphens.
        taken: names that others have already.

    Raises:
        ManifestError: it is no name, is reserved, or is taken.
    """
    name = given.replace("_", "-")
    if not FORM.fullmatch(name) or len(name) > LONGEST:
        near = re.sub(r"[^a-z0-9]+", "-", given.lower()).strip("-0123456789")[:LONGEST].strip("-")
        raise ManifestError(
            f"'{show(given)[:80]}' cannot be the name of a {kind}",
            expected=EXPECTED,
            found=f"'{show(given)[:80]}'",
            remedy=f"./run.sh new {kind} {near or f'my-{kind}'}",
        )
    if name in RESERVED | DEVICES or keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise ManifestError(
            f"'{name}' is reserved: it cannot be the name of a {kind}",
            expected="a name that neither Python, the kit nor Windows uses",
            found=f"'{name}'",
            remedy=f"./run.sh new {kind} my-{name}",
        )
    if name in taken:
        raise ManifestError(
            f"another {kind} is called '{name}'",
            expected="a name that nothing else has",
            found=f"'{name}'",
            remedy="choose another name; nothing was written",
        )
    return NewName(name)
