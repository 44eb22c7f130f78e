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


def printable(text: str, keep: str = "\n\t") -> str:
    """Return a text with escapes, such as `\\x1b`, for what a terminal or a reader would act on.

    Everything that a stranger may have written passes through here before it is printed or written
    into a page: control characters move the cursor and colour a terminal, bidirectional ones show
    a text in another order, invisible ones hide in it.

    Args:
        text: of any origin.
        keep: control characters that stay.
    """
    if text.isprintable():
        return text
    return "".join(
        letter
        if letter in keep or unicodedata.category(letter) not in _UNPRINTABLE
        else _escaped(letter)
        for letter in text
    )


def _escaped(letter: str) -> str:
    """Return the escape of a character: as JSON spells it, or `\\x1b` for ASCII's controls."""
    if letter < " ":
        return f"\\x{ord(letter):02x}"
    units = letter.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def show(path: str) -> str:
    """Return a name or a message as one printable line: `printable`, with no line break."""
    return printable(path, keep="")


def listed(lines: Sequence[str]) -> str:
    """Return the first five lines below each other, and how many more there are."""
    more = [f"and {len(lines) - MAX_LISTED} more"] if len(lines) > MAX_LISTED else []
    return "\n    ".join([*lines[:MAX_LISTED], *more])
