"""Names from outside: how they are printed and listed, and which of them cannot be signed."""

import unicodedata
from collections.abc import Iterable, Sequence

MAX_LISTED = 5

# Control, format (bidirectional, zero-width), surrogate and unassigned characters, and separators
# of lines: a name with one of them prints as something that it is not.
_UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def name_fault(name: str) -> str:
    """Return why a single file name cannot be signed, or "" if it can."""
    if name in {"", ".", ".."} or "/" in name:
        return "not a file name"
    if "\\" in name or any(unicodedata.category(letter) in _UNPRINTABLE for letter in name):
        return "name with a backslash, a control or an invisible character"
    if unicodedata.normalize("NFC", name) != name:
        return "name not in Unicode normal form C"
    return ""


def case_collisions(paths: Iterable[str]) -> list[tuple[str, str]]:
    """Return the pairs of paths that are one file on a system that ignores letter case."""
    seen: dict[str, str] = {}
    pairs = []
    for path in sorted(set(paths)):
        other = seen.setdefault(unicodedata.normalize("NFC", path.casefold()), path)
        if other != path:
            pairs.append((other, path))
    return pairs


def show(path: str) -> str:
    """Return a path as one printable line, with escapes for what a terminal would act on."""
    return path if path.isprintable() else ascii(path)


def listed(lines: Sequence[str]) -> str:
    """Return the first five lines below each other, and how many more there are."""
    more = [f"and {len(lines) - MAX_LISTED} more"] if len(lines) > MAX_LISTED else []
    return "\n    ".join([*lines[:MAX_LISTED], *more])
